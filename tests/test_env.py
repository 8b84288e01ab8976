"""OpenEnvGym: the keywords of ``gymnasium.make``, and what a user sees."""

from __future__ import annotations

import copy
import sys
import warnings
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Discrete

import openenv_gym
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ActionError,
    ConnectError,
    EpisodeError,
    MissingDependencyError,
    OptionError,
    ProtocolError,
    RegistryError,
)
from openenv_gym.sessions.session import Session
from openenv_gym.transport import (
    DEFAULT_SETTINGS,
    ImmediateLink,
    Link,
    LinkSettings,
    Transport,
)
from openenv_gym.wire.messages import Open, OpenVector, Reply, Request
from openenv_gym_transports.inprocess import InProcessTransport
from openenv_gym_transports.process import ProcessTransport
from openenv_gym_transports.websocket import WebSocketTransport
from tests.recorded import HERE, Recorded
from tests.troubles import TROUBLE


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENENV_GYM_TRANSPORT", raising=False)


def transport_of(env: Any) -> str:
    name: str = env.unwrapped.isolation["transport"]
    env.close()
    return name


def test_the_transport_by_name() -> None:
    assert transport_of(gymnasium.make("openenv/Echo-v0")) == "inprocess"
    assert transport_of(gymnasium.make("openenv/Echo-v0", transport="process")) == "process"


def test_the_transport_by_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENENV_GYM_TRANSPORT", "process")
    assert transport_of(gymnasium.make("openenv/Echo-v0")) == "process"
    assert transport_of(gymnasium.make("openenv/Echo-v0", transport="inprocess")) == "inprocess"
    monkeypatch.setenv("OPENENV_GYM_TRANSPORT", "")
    assert transport_of(gymnasium.make("openenv/Echo-v0")) == "inprocess"


def test_a_variable_that_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENENV_GYM_TRANSPORT", "proces")
    with pytest.raises(RegistryError, match="'process'"):
        gymnasium.make("openenv/Echo-v0")


@pytest.mark.parametrize(
    ("keywords", "error", "said"),
    [
        ({"transport": "proces"}, RegistryError, "Did you mean 'process'"),
        ({"transport": "inprocess", "url": "unix:///tmp"}, OptionError, "'url' is unknown"),
        ({"url": "unix:///tmp"}, ConnectError, "/tmp"),
        ({"url": "localhost:8000"}, OptionError, "ws://host:8000"),
        ({"token": "x"}, OptionError, "'token' is unknown"),
        ({"transport_options": {"more": 1}}, OptionError, "'more' is unknown"),
        ({"transport": "process", "timeout": "long"}, OptionError, "timeout='long'"),
        ({"no_such_option": 1}, OptionError, "'no_such_option' is unknown"),
    ],
)
def test_wrong_keywords_are_refused(
    keywords: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        gymnasium.make("openenv/Echo-v0", **keywords)


@pytest.mark.parametrize("kind", [InProcessTransport, ProcessTransport])
def test_a_transport_object_serves_many_environments(kind: type[Transport]) -> None:
    transport = kind(timeout=20.0)
    first = gymnasium.make("openenv/Echo-v0", transport=transport)
    assert first.get_wrapper_attr("transport") is transport
    assert first.spec is not None
    # A spec is a copy, with a copy of the transport in it, which is equal and works as well.
    assert first.spec.kwargs["transport"] == transport
    others = [gymnasium.make("openenv/Echo-v0", transport=transport), gymnasium.make(first.spec)]
    for env in (first, *others):
        env.reset()
    assert [env.step("hi" * n)[0] for n, env in enumerate((first, *others), 1)] == [
        "hi",
        "hihi",
        "hihihi",
    ]
    first.close()
    assert [env.step("still here")[0] for env in others] == ["still here"] * 2
    for env in others:
        env.close()


@pytest.mark.parametrize("kind", [InProcessTransport, ProcessTransport])
def test_a_transport_object_serves_vector_environments(kind: type[Transport]) -> None:
    transport = kind(timeout=20.0)
    for _ in range(2):
        with closing(
            gymnasium.make_vec("openenv/Echo-v0", num_envs=3, workers=2, transport=transport)
        ) as envs:
            envs.reset(seed=1)
            assert envs.step(["a", "b", "c"])[0] == ("a", "b", "c")
    with pytest.raises(OptionError, match="constructor"):
        gymnasium.make_vec("openenv/Echo-v0", num_envs=2, transport=transport, timeout=3.0)


@pytest.mark.parametrize(
    "keywords",
    [{"url": "unix:///tmp"}, {"token": "x"}, {"timeout": 5.0}, {"transport_options": {"x": 1}}],
)
def test_a_transport_object_has_its_own_settings(keywords: dict[str, Any]) -> None:
    transport = InProcessTransport()
    with pytest.raises(OptionError, match="constructor"):
        OpenEnvGym("echo", transport=transport, **keywords)
    OpenEnvGym("echo", transport=transport).close()  # it was not used


def test_a_copy_in_process_is_an_environment_of_its_own() -> None:
    with closing(gymnasium.make("openenv/Connect4-v0")) as env:
        env.reset(seed=0)
        with closing(copy.deepcopy(env)) as twin:
            twin.step(3)
            assert twin.get_wrapper_attr("state")()["step_count"] == 1
        assert env.get_wrapper_attr("state")()["step_count"] == 0


def test_what_fails_on_opening_is_closed() -> None:
    with pytest.raises(openenv_gym.OpenEnvGymError):
        OpenEnvGym(HERE, fails="metadata")
    assert Recorded.calls.count("close") == 1


def test_human_rendering_prints(capsys: pytest.CaptureFixture[str]) -> None:
    env = gymnasium.make("openenv/Echo-v0", render_mode="human")
    env.reset()
    env.step("Grüße 😀")
    assert env.render() is None
    assert capsys.readouterr().out.splitlines()[-1] == "Grüße 😀"
    assert env.render_mode == "human"
    env.close()


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes an environment that renders pictures only, for a human."""
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    monkeypatch.setattr(Recorded, "render_modes", ("rgb_array",))
    monkeypatch.setattr(Recorded, "render", lambda self: np.zeros((4, 6, 3), np.uint8))
    return lambda: OpenEnvGym(HERE, render_mode="human")


def test_human_rendering_draws(pictures: Any) -> None:
    import pygame

    env = pictures()
    env.reset()
    env.step(1)
    assert pygame.display.get_surface().get_size() == (6, 4)
    env.close()
    assert not pygame.display.get_init()


def test_drawing_needs_pygame(pictures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    env = pictures()
    with pytest.raises(MissingDependencyError, match="pygame-ce"):
        env.reset()
    env.close()


def test_rendering_needs_a_mode_and_a_reset() -> None:
    env = OpenEnvGym(HERE)
    assert env.metadata["render_modes"] == ["human", "ansi", "rgb_array"]
    assert env.metadata["render_fps"] == 4
    with pytest.raises(EpisodeError, match="render_mode="):
        env.render()
    env.close()
    env = OpenEnvGym(HERE, render_mode="ansi")
    with pytest.raises(EpisodeError, match=r"reset\(\)"):
        env.render()
    env.reset()
    assert env.render() == "picture in ansi"
    env.close()
    env = OpenEnvGym(TROUBLE)
    assert env.metadata["render_modes"] == []
    env.close()


def test_a_render_mode_if_there_is_such() -> None:
    for name, mode in ((HERE, "ansi"), (TROUBLE, None)):
        env = OpenEnvGym(name, render_mode="ansi?")
        assert env.render_mode == mode
        env.reset()
        if mode is not None:
            assert env.render() == "picture in ansi"
        env.close()
    cartpole = "openenv/Gymnasium-v0"
    for asked, reported in (("rgb_array?", "rgb_array"), ("ansi?", None)):
        env = OpenEnvGym(cartpole, env_id="CartPole-v1", render_mode=asked)
        env.reset(seed=1)
        assert env.render_mode == reported
        if reported is not None:
            assert env.render().shape == (400, 600, 3)
        env.close()


@pytest.mark.parametrize(
    ("name", "said"),
    [(HERE, "It has 'ansi', 'rgb_array'"), (TROUBLE, "It has none")],
)
@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_a_render_mode_that_there_is_not(name: str, said: str, transport: str) -> None:
    with pytest.raises(OptionError, match=f"no render_mode='hologram'. {said}"):
        OpenEnvGym(name, render_mode="hologram", transport=transport)


@pytest.mark.parametrize(
    ("id", "options"),
    [
        ("openenv/Connect4-v0", {"render_mode": "ansi"}),
        ("openenv/Gymnasium-v0", {"env_id": "CartPole-v1"}),
    ],
)
def test_steps_out_of_turn(id: str, options: dict[str, Any]) -> None:
    env = gymnasium.make(id, **options)
    with closing(env):
        with pytest.raises(EpisodeError, match=r"reset\(\)"):
            env.step(env.action_space.sample())
        env.reset(seed=0)
        env.step(env.action_space.sample())
    with pytest.raises(EpisodeError, match="closed"):
        env.step(env.action_space.sample())


def test_a_reset_that_failed_is_over_when_the_next_one_succeeds() -> None:
    with gymnasium.make("openenv/Connect4-v0") as env:
        with pytest.raises(OptionError):
            env.reset(seed=0, options={"nope": 1})
        env.reset(seed=0)
        assert env.step(0)[0].shape == (6, 7)


def test_a_subclass_has_its_own_step() -> None:
    class Doubled(OpenEnvGym):
        def step(self, action: Any) -> Any:
            observation, reward, *rest = super().step(action)
            return observation, 2 * reward, *rest

    with closing(Doubled("echo")) as env:
        env.reset()
        assert env.step("ab")[1] == pytest.approx(0.4)


def test_action_masks_are_those_of_the_last_observation() -> None:
    env = OpenEnvGym(HERE, legal=[2, 3])
    with pytest.raises(EpisodeError, match=r"reset\(\)"):
        env.action_masks()
    _, info = env.reset()
    assert env.action_masks().dtype == np.bool_
    assert env.action_masks().tolist() == [False, True, True, False]
    assert info["action_mask"].dtype == np.int8
    assert env.action_space.sample(info["action_mask"]) in (2, 3)
    env.close()


def test_a_mask_where_the_environment_tells_none() -> None:
    env = OpenEnvGym(TROUBLE)
    assert isinstance(env.action_space, Discrete)
    assert env.action_masks().tolist() == [True] * int(env.action_space.n)
    env.close()
    env = OpenEnvGym("echo")
    with pytest.raises(EpisodeError, match="Discrete"):
        env.action_masks()
    env.close()


def test_masks_take_no_round_trip(monkeypatch: pytest.MonkeyPatch) -> None:
    env = OpenEnvGym(HERE, legal=[1])
    env.reset()
    Recorded.calls.clear()
    env.action_masks()
    assert Recorded.calls == []
    env.close()


def test_a_time_limit_truncates() -> None:
    env = gymnasium.make("openenv/Echo-v0", max_episode_steps=2)
    env.reset()
    assert [env.step("x")[3] for _ in range(2)] == [False, True]
    env.reset()
    assert env.step("x")[3] is False
    env.close()


def test_the_state_is_a_dict_until_it_is_closed() -> None:
    env = OpenEnvGym(HERE)
    assert env.state() == {"episode_id": None, "step_count": 7}
    env.close()
    with pytest.raises(EpisodeError, match="closed"):
        env.state()


@pytest.mark.parametrize("transport", ["inprocess", "process"])
@pytest.mark.parametrize("seed", [0, 2**31, 2**70])
def test_any_seed_gives_the_same_episode_twice(transport: str, seed: int) -> None:
    env = OpenEnvGym("connect4", transport=transport, opponent="random")
    runs = []
    for _ in range(2):
        env.action_space.seed(1)
        env.reset(seed=seed)
        runs.append([env.step(column)[0].tolist() for column in (0, 1)])
    assert runs[0] == runs[1]
    env.close()


@pytest.mark.parametrize("transport", ["inprocess", "process"])
@pytest.mark.parametrize("seed", [-1, 1.5, "x"])
def test_seeds_that_are_none(transport: str, seed: Any) -> None:
    env = OpenEnvGym("echo", transport=transport)
    with pytest.raises((gymnasium.error.Error, OptionError)):
        env.reset(seed=seed)
    env.reset(seed=1)
    env.close()


def test_the_name_of_the_environment_is_checked_first() -> None:
    with pytest.raises(RegistryError, match="Did you mean 'echo'"):
        OpenEnvGym("ecco", transport=InProcessTransport())


def test_without_a_name_and_a_server() -> None:
    for transport in ("inprocess", "process"):
        with pytest.raises(OptionError, match="name"):
            OpenEnvGym(transport=transport)


class Lying(ImmediateLink):
    """Answers each request as if it were the first."""

    def handle(self, request: Request) -> Reply:
        self.description = Session().handle(Open("echo", {}))  # type: ignore[assignment]
        return self.description

    def close(self) -> None:
        pass


class LyingTransport(Transport):
    """Of no module of ours: it is not a dataclass, and has a constructor of its own."""

    name = "lying"

    def __init__(self, *, lies: int = 1) -> None:
        super().__init__(timeout=5.0)
        self.lies = lies

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        link = Lying()
        link.handle(request)
        return link


def test_a_reply_of_another_kind() -> None:
    env = OpenEnvGym("echo", transport=LyingTransport())
    for call in (env.reset, env.state, env.render, lambda: env.step("x")):
        with pytest.raises((ProtocolError, EpisodeError), match=r"Description where|reset\(\)"):
            call()


def test_gymnasium_make_does_not_warn() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        env = gymnasium.make("openenv/Echo-v0", render_mode="ansi")
        env.reset(seed=1)
        env.step("a")
        env.render()
        env.close()
    assert not caught


@pytest.mark.parametrize("limit", [0, -1.0, float("nan"), float("inf"), 1e12])
def test_limits_that_are_refused(limit: float) -> None:
    with pytest.raises(OptionError, match="None to wait forever"):
        gymnasium.make("openenv/Echo-v0", timeout=limit)
    for kind in (ProcessTransport, WebSocketTransport):
        with pytest.raises(OptionError, match=r"start_timeout=.*more than 0"):
            kind(start_timeout=limit)


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_what_cannot_travel_is_the_same_error_over_every_transport(transport: str) -> None:
    torch = pytest.importorskip("torch")
    with gymnasium.make("openenv/Connect4-v0", transport=transport) as env:
        options: Any
        for options in ("fen", ["a"], {1: 2}):
            with pytest.raises(OptionError, match="a dict from names to values"):
                env.unwrapped.reset(seed=0, options=options)
        env.reset(seed=0)
        for action in (torch.tensor(3), np.array(3, dtype=object), object()):
            with pytest.raises(ActionError, match="not in the action space"):
                env.unwrapped.step(action)
        env.step(3)
    envs = gymnasium.make_vec("openenv/Connect4-v0", num_envs=2, transport=transport)
    wrong: Any = "fen"
    with closing(envs), pytest.raises(OptionError, match="a dict from names to values"):
        envs.reset(seed=0, options=wrong)
