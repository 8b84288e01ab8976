"""Environments of tests over the network."""

from __future__ import annotations

from typing import Any

from openenv_gym.env import OpenEnvGym
from tests.environments import COUNT


def make(environment: str | None, transport: str, **keywords: Any) -> OpenEnvGym:
    return OpenEnvGym(environment, transport=transport, **keywords)


def count_of(env: OpenEnvGym, action: int = COUNT) -> int:
    return int(env.step(action)[0]["count"])
