"""Spaces of other makes: refused with what to write, or with another in their place."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Space, Tuple

from openenv_gym import Utf8, register_space
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OptionError, SpaceError
from openenv_gym.spaces import stand_ins
from openenv_gym.spaces.describe import describe
from openenv_gym.spaces.pattern_text import PatternText


class Mission(Space[str]):
    """As MiniGrid's: a text of its own kind."""

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        return "go to the door"

    def contains(self, x: Any) -> bool:
        return x == "go to the door"


class Ring(Box):
    """A Box with other values than a Box."""

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        return np.ones(self.shape, self.dtype)


class Grid(gymnasium.Env[Any, Any]):
    def __init__(self, ring: bool = False) -> None:
        self.action_space = Discrete(2)
        inner = Tuple([Ring(0, 1, (2,)) if ring else Box(0, 1, (2,)), Discrete(2)])
        self.observation_space = Dict([("mission", Mission()), ("inner", inner)])

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self._observation(), {}

    def _observation(self) -> Any:
        return {"mission": "go to the door", "inner": (np.zeros(2, np.float32), 1)}

    def step(self, action: Any) -> Any:
        return self._observation(), 0.0, False, False, {}


class Whole(Grid):
    def __init__(self) -> None:
        self.action_space = Discrete(2)
        self.observation_space = Ring(0, 1, (2,))

    def _observation(self) -> Any:
        return np.zeros(2, np.float32)


@pytest.fixture
def _forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stand_ins, "_stand_ins", {})


def test_the_error_says_what_to_write() -> None:
    with pytest.raises(SpaceError) as caught:
        OpenEnvGym(Grid, ring=True)
    text = str(caught.value)
    assert "mission: " in text
    assert "inner.0: " in text
    assert "spaces={'mission': openenv_gym.Utf8(1000)}" in text
    assert "register_space(Mission, lambda space: openenv_gym.Utf8(1000))" in text
    assert caught.value.fields["places"] == ["mission", "inner.0"]


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_given_by_name(transport: str) -> None:
    env = OpenEnvGym(
        Grid,
        ring=True,
        transport=transport,
        spaces={"mission": Utf8(50), "inner.0": Box(0, 1, (2,))},
    )
    assert isinstance(env.observation_space, Dict)
    assert [*env.observation_space] == ["mission", "inner"]
    assert env.observation_space["mission"] == Utf8(50)
    observation, _ = env.reset(seed=1)
    assert env.observation_space.contains(observation)
    env.close()


def test_given_for_the_whole() -> None:
    with pytest.raises(SpaceError, match=r"samples or checks other values than Box.*'observation'"):
        OpenEnvGym(Whole)
    env = OpenEnvGym(Whole, spaces={"observation": Box(0, 1, (2,))})
    assert type(env.observation_space) is Box


def test_nothing_else_is_replaced() -> None:
    with pytest.raises(OptionError, match=r"inner\.1"):
        OpenEnvGym(Grid, spaces={"mission": Utf8(50), "inner.1": Discrete(3)})


@pytest.mark.usefixtures("_forget")
def test_registered_for_all() -> None:
    register_space(Mission, lambda space: Utf8(len(space.sample())))
    register_space(Ring, lambda space: Box(space.low, space.high, dtype=np.float32))
    env = OpenEnvGym(Grid, ring=True)
    assert env.observation_space == Dict(
        [("mission", Utf8(14)), ("inner", Tuple([Box(0, 1, (2,)), Discrete(2)]))]
    )
    assert type(env.observation_space["inner"][0]) is Box
    assert describe(Ring(0, 1, (2,))) == describe(Box(0, 1, (2,)))
    vector = gymnasium.vector.SyncVectorEnv([lambda: OpenEnvGym(Grid)] * 2)
    assert vector.reset(seed=1)[0]["mission"] == ("go to the door",) * 2


@pytest.mark.usefixtures("_forget")
def test_what_cannot_be_registered() -> None:
    for kind in (Box, Utf8, PatternText, int):
        with pytest.raises(SpaceError, match="neither gymnasium's nor"):
            register_space(kind, lambda space: Utf8(1))  # type: ignore[type-var]
    register_space(Mission, lambda space: Mission())
    with pytest.raises(SpaceError, match="one of gymnasium's or of this package"):
        describe(Mission())
