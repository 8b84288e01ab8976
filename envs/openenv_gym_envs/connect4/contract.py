"""The contract tests of Connect4, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"column": "int!"},
    observation={"board": "[[int]]", "legal_actions": "[int]"},
    sample={"column": 3},
    state={"board": "[[int]]", "next_player": "int"},
    metadata={"next_player": "int"},
)


class TestConnect4(EnvironmentContract):
    id = "openenv/Connect4-v0"


class TestConnect4AgainstMinimax(TrajectoryContract):
    id = "openenv/Connect4-v0"
    options: ClassVar[dict[str, Any]] = {"opponent": "minimax", "depth": 2}
