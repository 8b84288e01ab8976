"""SB3's ``check_env`` on every environment whose Spaces are numeric, as SB3 needs them."""

from __future__ import annotations

import warnings

import gymnasium
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.wrappers import FlattenObservation

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.cli.demo import EPISODES, Episode
from openenv_gym.registry import ENVIRONMENTS

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.env_checker import check_env

NUMERIC = ["atari", "chess", "connect4", "finrl", "gymnasium", "openspiel", "sumo"]
OTHERS = ["browsergym", "chat", "coding", "dipg", "echo", "git", "textarena"]  # texts, tokens

BOARDS = "unconventional shape|upper and lower bounds|channels-last|minimal resolution"
"""What SB3 says of a board, which it takes for a picture; MlpPolicy flattens it all the same."""


def test_each_environment_is_one_or_the_other() -> None:
    assert sorted(ENVIRONMENTS) == sorted([*NUMERIC, *OTHERS])


@pytest.mark.parametrize("name", NUMERIC)
def test_stable_baselines3_finds_no_fault(name: str) -> None:
    id = ENVIRONMENTS[name].id
    assert id is not None
    env = gymnasium.make(id, **EPISODES.get(name, Episode()).options)
    assert isinstance(env.action_space, Box | Discrete)
    assert isinstance(env.observation_space, Box | Dict | Discrete)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=f".*({BOARDS})")
        check_env(env)
    if isinstance(env.observation_space, Box):
        check_env(FlattenObservation(env))
    env.close()
