"""The contract tests of Chess, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"move": "str!"},
    observation={"fen": "str", "legal_moves": "[str]", "is_check": "bool", "result": "str?"},
    sample={"move": "e2e4"},
    state={"fen": "str", "current_player": "str", "move_history": "[str]"},
    metadata={"evaluation": "num", "fullmove_number": "int", "halfmove_clock": "int"},
)


class TestChess(EnvironmentContract):
    id = "openenv/Chess-v0"


class TestChessAsEitherColor(TrajectoryContract):
    id = "openenv/Chess-v0"
    options: ClassVar[dict[str, Any]] = {"opponent": "greedy", "agent_color": "random"}
