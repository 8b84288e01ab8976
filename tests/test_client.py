"""The typed API: what a client gives is what the environment gave, over every transport."""

from __future__ import annotations

import enum
import importlib
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Space
from pydantic import BaseModel, Field

from openenv_gym.client import EnvClient, StepResult, client_class
from openenv_gym.environment import Environment
from openenv_gym.errors import ActionError, EpisodeError, OptionError, RegistryError, SpaceError
from openenv_gym.models import Action, Array, Choice, Info, LegalActions, Observation, State
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import demo_episode
from openenv_gym.transport import Transport
from openenv_gym_envs.chess import ChessAction, ChessEnv
from openenv_gym_envs.chess.environment import ChessEnvironment
from openenv_gym_envs.connect4 import Connect4Action, Connect4Env
from openenv_gym_envs.connect4.environment import Connect4Environment
from openenv_gym_envs.echo import EchoAction, EchoEnv, EchoObservation
from openenv_gym_transports.inprocess import InProcessTransport
from tests.bundled import environments
from tests.servers import eventually, serving

TRANSPORTS = [
    "inprocess",
    "process",
    "websocket",
    "http",
    pytest.param("docker", marks=pytest.mark.docker),
]


class Kind(enum.Enum):
    A = "a"
    B = "b"


class Point(BaseModel):
    x: Annotated[float, Field(ge=-9, le=9)]
    kind: Kind


class RichAction(Action):
    to: Point
    word: Annotated[str, Choice(["up", "down"])]
    often: Annotated[int, Discrete(4, start=1)] = 1


class RichObservation(Observation):
    at: Point
    trail: list[Point]
    grid: Array
    flags: Annotated[list[bool], Field(min_length=2, max_length=2)]
    maybe: Annotated[int, Field(ge=0, le=9)] | None = None
    noted: Annotated[Point | None, Info()] = None
    wide: Annotated[Array, Info()] = Field(default_factory=lambda: np.zeros(0))


class RichState(State):
    trail: list[Point]


class Rich(Environment[RichAction, RichObservation, RichState]):
    """Has all kinds of fields, one of which depends on an option."""

    def __init__(self, size: int = 2) -> None:
        self._size = size
        self._trail: list[Point] = []

    def spaces(self) -> Mapping[str, Space[Any]]:
        return {"grid": Box(0, 1, (self._size, 3), np.float32)}

    def reset(self, episode_id: str | None = None, start: float = 0.0) -> RichObservation:
        self._trail = [Point(x=start, kind=Kind.A)]
        return self._observation()

    def step(self, action: RichAction) -> RichObservation:
        self._trail += [action.to] * action.often
        return self._observation(
            reward=1.5,
            done=len(self._trail) > 2,
            truncated=len(self._trail) > 3,
            terminated=True if len(self._trail) > 4 else None,
            metadata={"word": action.word, "nested": {"one": [1, None, 0.5]}},
        )

    def _observation(self, **base: Any) -> RichObservation:
        last = self._trail[-1]
        return RichObservation(
            at=last,
            trail=self._trail,
            grid=np.full((self._size, 3), 0.25, np.float32),
            flags=[True, False],
            maybe=None if len(self._trail) == 1 else 3,
            noted=last,
            wide=np.arange(3, dtype=np.int16),
            **base,
        )

    @property
    def state(self) -> RichState:
        return RichState(trail=self._trail, step_count=len(self._trail))


class RichEnv(EnvClient[RichAction, RichObservation, RichState], environment=f"{__name__}:Rich"):
    pass


class PickAction(Action):
    number: Annotated[int, Discrete(3, start=5)]


class PickObservation(Observation):
    seen: Annotated[int, Discrete(9)]
    allowed: Annotated[list[int], LegalActions()]


class Pick(Environment[PickAction, PickObservation, State]):
    """Its actions do not begin at 0."""

    def reset(self) -> PickObservation:
        return PickObservation(seen=0, allowed=[5, 7])

    def step(self, action: PickAction) -> PickObservation:
        return PickObservation(seen=action.number, allowed=[6])

    @property
    def state(self) -> State:
        return State()


class PickEnv(EnvClient[PickAction, PickObservation, State], environment=f"{__name__}:Pick"):
    pass


def comparable(model: BaseModel) -> dict[str, Any]:
    """The fields of a model, with what numpy compares item by item made comparable."""
    return {
        name: (value.dtype, value.shape, value.tobytes())
        if isinstance(value, np.ndarray)
        else value
        for name, value in model
    }


def same(result: StepResult[Any], observation: Observation) -> None:
    got, wanted = comparable(result.observation), comparable(observation)
    wanted["reward"] = wanted["reward"] or 0.0
    assert got == wanted
    assert (result.reward, result.done) == (got["reward"], got["done"])
    assert (result.truncated, result.metadata) == (got["truncated"], got["metadata"])


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_observations_are_those_of_the_environment_itself(transport: str) -> None:
    itself = Connect4Environment(opponent="random")
    with Connect4Env(transport=transport, opponent="random") as client:
        itself.seed(7)
        result = client.reset(seed=7, episode_id="seven")
        same(result, itself.reset(episode_id="seven"))
        while not result.done:
            action = Connect4Action(column=result.observation.legal_actions[-1])
            result = client.step(action)
            same(result, itself.step(action))
        assert client.state() == itself.state


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_every_kind_of_field(transport: str) -> None:
    itself = Rich(size=5)
    with RichEnv(transport=transport, size=5) as client:
        same(client.reset(start=2.0), itself.reset(start=2.0))
        action = RichAction(to=Point(x=0.5, kind=Kind.B), word="down")
        same(client.step(action), itself.step(action))
        state = client.state()
        assert isinstance(state, RichState)
        assert state.trail[1] == Point(x=0.5, kind=Kind.B)


@pytest.mark.parametrize(
    ("often", "done", "truncated", "terminated"),
    [(1, False, False, None), (2, True, False, None), (3, True, True, None), (4, True, True, True)],
)
def test_how_an_episode_ended(
    often: int, done: bool, truncated: bool, terminated: bool | None
) -> None:
    with RichEnv() as client:
        client.reset()
        result = client.step(RichAction(to=Point(x=0, kind=Kind.A), word="up", often=often))
        assert (result.done, result.truncated) == (done, truncated)
        assert (result.observation.done, result.observation.truncated) == (done, truncated)
        assert result.observation.terminated is terminated


def test_legal_actions_are_values_again() -> None:
    itself = ChessEnvironment()
    with ChessEnv() as client:
        itself.seed(3)
        result = client.reset(seed=3)
        same(result, itself.reset())
        for _ in range(6):
            action = ChessAction(move=result.observation.legal_moves[-1])
            result = client.step(action)
            same(result, itself.step(action))
    with PickEnv() as picking:
        assert picking.reset().observation.allowed == [5, 7]
        assert picking.step(PickAction(number=7)).observation.allowed == [6]


@pytest.mark.parametrize("name", environments())
def test_every_environment_with_models_has_one(name: str) -> None:
    entry = ENVIRONMENTS[name]
    package = importlib.import_module(entry.target.partition(":")[0].rpartition(".")[0])
    if name == "gymnasium":  # it has the Spaces of any environment, and no models
        with pytest.raises(OptionError, match="models"):
            client_class(name)
        return
    kind = client_class(entry.id or name)
    assert getattr(package, kind.__name__) is kind
    assert kind.__name__ in package.__all__
    with kind(**demo_episode(entry).options) as env:
        result = env.reset(seed=1, episode_id="ep")
        assert isinstance(result, StepResult)
        assert type(result.observation) is kind.observation_type
        assert (result.reward, result.done) == (0.0, False)
        assert type(env.state()) is kind.state_type


def test_what_openenvs_guide_shows_works() -> None:
    with serving("echo") as served:
        env = EchoEnv(base_url=f"http://127.0.0.1:{served.port}")
        result = env.reset()
        assert result.observation.echoed_message == "Echo environment ready!"
        result = env.step(EchoAction(message="Hello!"))
        assert isinstance(result.observation, EchoObservation)
        assert result.observation.echoed_message == "Hello!"
        assert result.reward == pytest.approx(0.6)
        assert result.done is False
        assert result.metadata["original_message"] == "Hello!"
        state = env.state()
        assert state.step_count == 1
        assert state.episode_id == env.state().episode_id is not None
        env.close()
        env.close()


@pytest.mark.parametrize(
    ("scheme", "named", "used"),
    [
        ("http", None, "websocket"),
        ("ws", None, "websocket"),
        ("http", "websocket", "websocket"),
        ("http", "http", "http"),
        ("ws", "http", "http"),
    ],
)
def test_the_url_chooses_the_transport(scheme: str, named: str | None, used: str) -> None:
    with serving("echo", token="secret") as served:
        url = f"{scheme}://127.0.0.1:{served.port}"
        with EchoEnv(url, transport=named, token="secret", timeout=20) as env:
            assert env.env.isolation["transport"] == used
            assert env.reset().observation.echoed_message == "Echo environment ready!"


def test_the_url_of_a_pipe(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "openenv_gym.cli", "serve", "echo", "--pipe", str(tmp_path)]
    server = subprocess.Popen(command)
    try:
        eventually((tmp_path / "socket").exists, limit=60.0)
        with EchoEnv(f"unix://{tmp_path}") as env:
            assert env.env.isolation["transport"] == "process"
            assert env.reset().done is False
    finally:
        server.terminate()
        server.wait(20)


def test_a_transport_object_is_used() -> None:
    transport: Transport = InProcessTransport()
    with EchoEnv(transport=transport) as env:
        assert env.env.transport is transport


@pytest.mark.docker
def test_a_docker_image_is_run() -> None:
    with EchoEnv.from_docker_image(transport_options={"memory": "256m"}) as env:
        assert env.env.isolation["memory"] == 256 << 20
        image = env.env.isolation["image"]
        assert env.reset().done is False
    with EchoEnv.from_docker_image(image) as env:
        assert env.reset().done is False


def test_the_whole_of_the_options() -> None:
    with Connect4Env(opponent="minimax", depth=1, render_mode="ansi") as env:
        env.reset(seed=0)
        assert "to move" in env.env.render()
    with pytest.raises(OptionError, match="It takes: opponent"):
        Connect4Env(size=3)
    with EchoEnv() as env, pytest.raises(OptionError, match="reset"):
        env.reset(fen="")


def test_a_openenv_client_becomes_synchronous_by_a_call() -> None:
    with EchoEnv().sync() as env:
        assert env.sync() is env


def test_what_is_no_action_of_it() -> None:
    with EchoEnv() as env:
        env.reset()
        with pytest.raises(ActionError, match=r"EchoEnv.step\(\) takes a EchoAction, not a dict"):
            env.step({"message": "Hello!"})  # type: ignore[arg-type]
        with pytest.raises(ActionError, match="not a Connect4Action"):
            env.step(Connect4Action(column=1))  # type: ignore[arg-type]
        assert env.state().step_count == 0


def test_an_action_of_no_value() -> None:
    with RichEnv() as env:
        env.reset()
        action = RichAction(to=Point(x=0, kind=Kind.A), word="left")
        with pytest.raises(ActionError, match=r"RichAction\.word is 'left'.* not stepped"):
            env.step(action)
        with pytest.raises(ActionError, match="not in the action space"):
            env.step(RichAction(to=Point(x=0, kind=Kind.A), word="up", often=9))
        assert env.state().step_count == 1


def test_calls_out_of_turn() -> None:
    env = EchoEnv()
    with pytest.raises(EpisodeError, match=r"call reset\(\)"):
        env.step(EchoAction(message=""))
    env.close()
    with pytest.raises(EpisodeError, match="closed"):
        env.reset()


def test_another_environment_than_the_models_are_of() -> None:
    with serving("connect4") as served:
        with pytest.raises(RegistryError, match="has the environment 'connect4', not 'echo'"):
            EchoEnv(f"ws://127.0.0.1:{served.port}")

        class Anything(EnvClient[EchoAction, EchoObservation, State]):
            pass

        url = f"ws://127.0.0.1:{served.port}"
        with Anything(url) as env, pytest.raises(SpaceError, match="makes no EchoObservation"):
            env.reset()

        class Several(EnvClient[RichAction, RichObservation, RichState]):
            pass

        with pytest.raises(SpaceError, match="RichAction has the fields"):
            Several(url)
        eventually(lambda: len(served.sessions) == 0)


def test_a_client_without_models() -> None:
    class Nothing(EnvClient):  # type: ignore[type-arg]
        pass

    with pytest.raises(OptionError, match="Nothing names no models"):
        Nothing()


def test_a_subclass_of_a_client_keeps_its_models() -> None:
    class Louder(EchoEnv):
        def step(self, action: EchoAction) -> StepResult[EchoObservation]:
            return super().step(EchoAction(message=action.message.upper()))

    with Louder() as env:
        env.reset()
        assert env.step(EchoAction(message="hi")).observation.echoed_message == "HI"
