"""Makers of vector environments for tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.vector import OpenEnvVectorEnv

CONNECT4 = "openenv/Connect4-v0"
Make = Callable[..., OpenEnvVectorEnv]
"""The type of the fixture ``make``."""


def connect4(num_envs: int, **keywords: Any) -> OpenEnvVectorEnv:
    """Make lanes of Connect4."""
    envs = gymnasium.make_vec(CONNECT4, num_envs=num_envs, **keywords)
    assert isinstance(envs, OpenEnvVectorEnv)
    return envs
