"""The contract tests of TextArena, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"message": "str!"},
    observation={
        "prompt": "str",
        "messages": "[obj]",
        "current_player_id": "int",
        "legal_players": "[int]",
        "info": "obj",
    },
    sample={"message": "[crane]"},
    state={
        "env_id": "str",
        "num_players": "int",
        "max_turns": "int?",
        "turn": "int",
        "last_reward": "num",
        "last_info": "obj",
        "raw_state": "obj",
    },
    metadata={"env_id": "str", "turn": "int", "raw_messages": "[obj]"},
    stepped={"reward_signals": "obj"},
)


class TestTextArena(EnvironmentContract):
    id = "openenv/TextArena-v0"


class TestTextArenaWithOthers(TrajectoryContract):
    id = "openenv/TextArena-v0"
    options: ClassVar[dict[str, Any]] = {"env_id": "Poker-v0", "num_players": 3, "agent_player": 1}
