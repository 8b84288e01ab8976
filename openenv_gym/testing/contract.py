"""The contract that every environment keeps over every transport, as tests to inherit.

::

    class TestThing(EnvironmentContract):
        id = "acme/Thing-v0"
        options = {"size": 3}

pytest runs all that is in :class:`EnvironmentContract` for each of ``transports``, for ``ray``
where it is installed. A test of the transport ``docker`` is marked ``docker``, a mark to be listed
in your configuration (``markers = ["docker: needs an engine"]``); where there is no engine,
deselect it with ``-m "not docker"``.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import json
import pickle
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Space
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.passive_env_checker import env_render_passive_checker

from openenv_gym.errors import (
    ActionError,
    EpisodeError,
    MissingDependencyError,
    OpenEnvGymError,
    OptionError,
    SnapshotError,
)
from openenv_gym.registry import TRANSPORTS
from openenv_gym.testing.trajectory import Env, Transition, play, same

try:
    import pytest
except ImportError as error:
    raise MissingDependencyError(
        f"openenv_gym.testing needs the package {error.name}: pip install pytest.",
        package=error.name,
    ) from error

__all__ = [
    "Env",
    "EnvironmentContract",
    "TrajectoryContract",
    "Transition",
    "assert_checked",
    "assert_same_trajectory",
    "play",
    "same",
]


def assert_same_trajectory(got: list[Transition], wanted: list[Transition]) -> None:
    """Assert that two trajectories are the same, bit for bit, and shows where they part."""
    for number, (one, other) in enumerate(zip(got, wanted, strict=True)):
        for field, a, b in zip(Transition._fields, one, other, strict=True):
            assert same(a, b), f"{field} of transition {number}:\n{a!r}\nis not\n{b!r}"


def assert_checked(env: Env, *, skip_further: bool = False) -> None:
    """Assert that gymnasium's ``check_env`` neither fails nor warns.

    Args:
        env: What is checked.
        skip_further: Leave out what ``check_env`` makes further environments for: a picture in
            each mode, and a second call of ``close()``.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # About what the Space is, which is the environment's own affair.
        for about in (".*infinity.*", ".*symmetric and normalized.*"):
            warnings.filterwarnings("ignore", about)
        check_env(env.unwrapped, skip_render_check=skip_further, skip_close_check=skip_further)


def _assert_closes(env: Env) -> None:
    """Assert that it may be closed twice, and that what comes after it is an error."""
    env.close()
    env.close()
    calls: list[Callable[[], Any]] = [
        lambda: env.step(env.action_space.sample()),
        env.unwrapped.reset,
        env.unwrapped.render,
    ]
    for call in calls:
        with pytest.raises(EpisodeError, match="closed"):
            call()


def _contained(space: Space[Any], value: Any) -> bool:
    """``contains``, which for strange values may warn or raise anything."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return space.contains(value)
        except Exception:
            return False


def _transports() -> list[Any]:
    marks = {
        "docker": pytest.mark.docker,
        "ray": pytest.mark.skipif(not importlib.util.find_spec("ray"), reason="there is no Ray"),
    }
    return [pytest.param(name, marks=marks[name]) if name in marks else name for name in TRANSPORTS]


class TrajectoryContract:
    """What one environment over a transport and one in process must have in common.

    The quick half of the contract, for variants of an environment that has passed the whole.

    Attributes:
        id: Its id.
        options: Keywords for ``gymnasium.make``.
        steps: Steps of the trajectories that are compared.
        actions: The first actions of these, where random ones come to nothing; then random ones.
    """

    id: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    steps: ClassVar[int] = 40
    actions: ClassVar[Sequence[Any]] = ()

    @pytest.fixture(scope="class", params=_transports())
    @classmethod
    def transport(cls, request: pytest.FixtureRequest) -> str:
        """Name of the transport under test."""
        name: str = request.param
        return name

    @pytest.fixture(scope="class")
    @classmethod
    def env(cls, transport: str) -> Iterator[Env]:
        """An environment over the transport, shared by tests, as users use one for long."""
        env: Env = gymnasium.make(cls.id, transport=transport, **cls.options)
        yield env
        env.close()

    @pytest.fixture(scope="class")
    @classmethod
    def reference(cls) -> Iterator[Env]:
        """The same in process."""
        env: Env = gymnasium.make(cls.id, transport="inprocess", **cls.options)
        yield env
        env.close()

    @pytest.fixture(scope="class")
    @classmethod
    def played(cls, reference: Env) -> Callable[[int, int], list[Transition]]:
        """What is played in process with a seed, so many steps: once for all transports."""

        @functools.cache
        def played(seed: int, steps: int) -> list[Transition]:
            return list(
                play(reference, seed=seed, steps=min(steps, cls.steps), actions=cls.actions)
            )

        return played

    @pytest.fixture
    def make(self, transport: str) -> Iterator[Callable[..., Env]]:
        """Make environments over the transport, and closes them after the test."""
        made: list[Env] = []

        def make(**changes: Any) -> Env:
            keywords = {"transport": transport, **self.options, **changes}
            made.append(gymnasium.make(self.id, **keywords))
            return made[-1]

        yield make
        for env in made:
            env.close()

    def play(self, env: Env, *, seed: int, steps: int) -> Iterator[Transition]:
        """Play, no more than ``steps`` of this class."""
        return play(env, seed=seed, steps=min(steps, self.steps), actions=self.actions)

    def test_trajectory_is_that_in_process(self, env: Env, played: Any) -> None:
        """Same seed, same actions: same observations, rewards, flags and infos, bit for bit."""
        got = list(self.play(env, seed=7, steps=self.steps))
        assert_same_trajectory(got, played(7, self.steps))

    def test_seed_decides(self, env: Env) -> None:
        """A second run with the seed gives the same, also on a used environment."""
        first = list(self.play(env, seed=3, steps=10))
        list(self.play(env, seed=4, steps=5))
        assert_same_trajectory(list(self.play(env, seed=3, steps=10)), first)

    def test_spaces_contain_what_is_returned(self, env: Env) -> None:
        """Observations are in their Space, rewards are numbers, flags are bools."""
        for transition in self.play(env, seed=1, steps=self.steps):
            assert env.observation_space.contains(transition.observation)
            assert np.isscalar(transition.reward)
            assert isinstance(transition.terminated, bool)
            assert isinstance(transition.truncated, bool)

    def test_spaces_are_those_in_process(self, env: Env, reference: Env) -> None:
        """The Spaces survive the wire: equal, and they sample alike."""
        for name in ("action_space", "observation_space"):
            ours, theirs = getattr(env, name), getattr(reference, name)
            assert ours == theirs
            ours.seed(5)
            theirs.seed(5)
            assert same(ours.sample(), theirs.sample())
        assert env.metadata == reference.metadata

    def test_reset_in_the_middle_of_an_episode(self, env: Env) -> None:
        """It begins a new one, as if the old had never been."""
        first = list(itertools.islice(self.play(env, seed=9, steps=3), 3))
        assert_same_trajectory(list(itertools.islice(self.play(env, seed=9, steps=3), 3)), first)

    def test_action_outside_the_space(self, env: Env) -> None:
        """Is refused, whatever it is, and the episode goes on as if it had not come."""
        wanted = list(self.play(env, seed=2, steps=3))
        env.reset(seed=2)
        for wrong in ("no action", None, object(), np.full((7, 7), np.nan), [1, {}]):
            if not _contained(env.action_space, wrong):
                with pytest.raises(OpenEnvGymError) as caught:
                    env.unwrapped.step(wrong)
                assert isinstance(caught.value, ActionError) or wrong.__class__ is object
                pickled = pickle.loads(pickle.dumps(caught.value))
                assert str(pickled) == str(caught.value)
                assert pickled.fields.keys() == caught.value.fields.keys()
        for transition in wanted[1:]:
            if transition.action is None:  # between episodes as short as a step
                env.reset()
            else:
                got = Transition(transition.action, *env.unwrapped.step(transition.action))
                assert_same_trajectory([got], [transition])

    def test_state_is_that_in_process(self, env: Env, reference: Env) -> None:
        """What the environment has beside the observation."""
        states = []
        for made in (env, reference):
            list(self.play(made, seed=5, steps=3))
            states.append(made.get_wrapper_attr("state")())
        assert same(*states)

    def test_snapshot_goes_on_the_same(self, env: Env, reference: Env) -> None:
        """Over every transport, and in another environment; or it says that there is none."""
        played = list(self.play(env, seed=6, steps=8))
        actions = [transition.action for transition in played if transition.action is not None]
        env.reset(seed=6)
        for action in actions[:2]:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()
        here: Any = env.unwrapped
        try:
            saved = here.snapshot()
        except SnapshotError:
            return
        wanted = _continued(here, actions[2:])
        here.restore(saved)
        assert same(_continued(here, actions[2:]), wanted)
        there: Any = reference.unwrapped
        there.restore(saved)
        assert same(_continued(there, actions[2:]), wanted)


def _continued(env: Any, actions: list[Any]) -> list[Any]:
    """What follows, until the end of the episode."""
    outcomes = []
    for action in actions:
        outcomes.append(env.step(action))
        if outcomes[-1][2] or outcomes[-1][3]:
            break
    return outcomes


class EnvironmentContract(TrajectoryContract):
    """The whole contract: inherit, and name the environment."""

    @pytest.fixture(scope="class")
    @classmethod
    def another(cls, env: Env) -> Iterator[Env]:
        """A second one over the transport, of what the spec of the first is as JSON."""
        assert env.spec is not None
        another: Env = gymnasium.make(EnvSpec.from_json(env.spec.to_json()))
        yield another
        another.close()

    @pytest.fixture(scope="class")
    @classmethod
    def drawn(cls) -> Callable[[str], Any]:
        """The picture in process, in a mode: once for all transports."""

        @functools.cache
        def drawn(mode: str) -> Any:
            env: Env = gymnasium.make(
                cls.id, transport="inprocess", render_mode=mode, **cls.options
            )
            try:
                list(play(env, seed=5, steps=min(2, cls.steps), actions=cls.actions))
                return env.render()
            finally:
                env.close()

        return drawn

    def test_gymnasiums_own_checker_is_content(self, env: Env) -> None:
        """``check_env`` neither fails nor warns; the tests below have the rest of it."""
        assert_checked(env, skip_further=True)

    def test_two_environments_are_separate(self, env: Env, another: Env, played: Any) -> None:
        """Stepped in turn, each goes its own way."""
        pairs = zip(
            self.play(env, seed=11, steps=8), self.play(another, seed=12, steps=8), strict=True
        )
        assert_same_trajectory([pair[0] for pair in pairs], played(11, 8))

    def test_before_the_first_reset(self, make: Any) -> None:
        """A step is an error that says what to do; to close it is not."""
        env = make()
        with pytest.raises(EpisodeError, match=r"reset\(\)"):
            env.unwrapped.step(env.action_space.sample())
        _assert_closes(env)

    def test_spec_survives_json_and_pickle(self, env: Env, another: Env) -> None:
        """The spec makes an equal environment again."""
        assert env.spec is not None
        reported = EnvSpec.from_json(env.spec.to_json())
        assert reported == env.spec
        assert json.loads(reported.to_json()) == json.loads(env.spec.to_json())
        assert pickle.loads(pickle.dumps(env.spec)) == env.spec
        another.reset(seed=0)

    def test_unknown_option(self, make: Any) -> None:
        """Is named, and the known ones are listed."""
        with pytest.raises(OptionError, match="no_such_option") as caught:
            make(no_such_option=1)
        assert isinstance(caught.value.fields["known"], list)

    def test_unknown_reset_option(self, env: Env) -> None:
        """Is an error, not dropped; gymnasium environments take any."""
        if self.id == "openenv/Gymnasium-v0":
            env.reset(options={"anything": 1})
        else:
            with pytest.raises(OptionError, match="no_such_option"):
                env.reset(options={"no_such_option": 1})

    def test_rendering_is_that_in_process(self, env: Env, drawn: Any, make: Any) -> None:
        """Every mode gives the same picture over the wire; then it is closed, in an episode."""
        for mode in env.metadata["render_modes"] or [None]:
            rendered = make(render_mode=mode)
            list(self.play(rendered, seed=5, steps=2))
            if mode is not None:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    env_render_passive_checker(rendered)
            if mode in ("ansi", "rgb_array"):
                picture = rendered.render()
                assert picture is not None
                assert same(picture, drawn(mode))
            if mode != "human":  # whose render() does nothing, before and after
                _assert_closes(rendered)

    def test_isolation_tells_the_transport(self, env: Env, transport: str) -> None:
        """And what is between the environment and this process."""
        reported = env.get_wrapper_attr("isolation")
        assert reported["transport"] == transport
        assert reported["boundary"] in ("none", "process", "container")
