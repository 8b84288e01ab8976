"""Fixtures of the tests of vector environments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from openenv_gym.vector import OpenEnvVectorEnv
from tests.environments import THREADED
from tests.vector.lanes import Make


@pytest.fixture
def make() -> Iterator[Make]:
    """Makes lanes of an environment that counts its steps, and closes them after the test."""
    made: list[OpenEnvVectorEnv] = []

    def counting(num_envs: int, **keywords: Any) -> OpenEnvVectorEnv:
        made.append(OpenEnvVectorEnv(THREADED, num_envs=num_envs, **keywords))
        return made[-1]

    yield counting
    for envs in made:
        envs.close()
