"""SB3's ``check_env`` on every environment whose Spaces are numeric, as SB3 needs them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Space
from gymnasium.wrappers import FlattenObservation

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import demo_episode
from tests.bundled import environments

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.env_checker import check_env

NUMERIC = (Box, Discrete)

BOARDS = "unconventional shape|upper and lower bounds|channels-last|minimal resolution"
"""What SB3 says of a board, which it takes for a picture; MlpPolicy flattens it all the same."""


def leaves(space: Space[Any]) -> Iterator[Space[Any]]:
    if isinstance(space, Dict):
        for part in space.spaces.values():
            yield from leaves(part)
    else:
        yield space


@pytest.mark.parametrize("name", environments())
def test_stable_baselines3_finds_no_fault_in_numeric_spaces(name: str) -> None:
    id = ENVIRONMENTS[name].id
    assert id is not None
    env = gymnasium.make(id, **demo_episode(ENVIRONMENTS[name]).options)
    spaces = [*leaves(env.action_space), *leaves(env.observation_space)]
    if all(isinstance(space, NUMERIC) for space in spaces):
        assert isinstance(env.action_space, NUMERIC)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=f".*({BOARDS})")
            check_env(env)
        if isinstance(env.observation_space, Box):
            check_env(FlattenObservation(env))
    env.close()


def test_most_are_numeric_or_of_texts() -> None:
    """The test above checks something: chess is numeric, echo is not."""
    for id, numeric in (("openenv/Chess-v0", True), ("openenv/Echo-v0", False)):
        env = gymnasium.make(id)
        assert isinstance(env.observation_space, NUMERIC) is numeric
        env.close()
