"""gymnasium's wrappers that begin with empty observations take the Spaces of ours."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, Space
from gymnasium.wrappers import DelayObservation, FrameStackObservation
from gymnasium.wrappers.utils import create_zero_array

from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

NUMBER = Box(1, 5, (), np.float32)

SPACES = [
    Utf8(5),
    Utf8(5, min_length=2),
    *[JsonText({"type": kind}) for kind in ("object", "array", "string", "integer", "boolean")],
    JsonText({"type": ["null", "string"]}),
    JsonText(),
    Numbers(NUMBER),
    Numbers(NUMBER, min_length=2, max_length=3),
    NonEmpty(Discrete(3, start=1)),
    NonEmpty(Box(-1, 1, (2,)), stack=True),
]


@pytest.mark.parametrize("space", SPACES, ids=repr)
def test_the_zero_value_is_in_the_space(space: Space[Any]) -> None:
    assert space.contains(create_zero_array(space))


@pytest.mark.parametrize("id", ["openenv/Echo-v0", "openenv/Connect4-v0"])
def test_stacked_and_delayed_observations(id: str) -> None:
    env = gymnasium.make(id, transport="inprocess")
    stacked: Any = FrameStackObservation(env, stack_size=3, padding_type="zero")
    first, _ = stacked.reset(seed=0)
    assert len(first) == 3
    action = env.action_space.sample()
    second, *_ = stacked.step(action)
    assert stacked.observation_space.contains(second)
    assert np.array_equal(second[1], first[2])
    delayed: Any = DelayObservation(env, delay=1)
    assert np.array_equal(delayed.reset(seed=0)[0], create_zero_array(env.observation_space))
    assert np.array_equal(delayed.step(action)[0], first[2])
    env.close()
