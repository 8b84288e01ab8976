"""The contract tests of Atari, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={
        "action_id": "int!",
        "game_name": "str",
        "obs_type": "str",
        "full_action_space": "bool",
    },
    observation={
        "screen": "[int]",
        "screen_shape": "[int]",
        "legal_actions": "[int]",
        "lives": "int",
        "episode_frame_number": "int",
        "frame_number": "int",
    },
    sample={"action_id": 0},
    state={
        "game_name": "str",
        "obs_type": "str",
        "full_action_space": "bool",
        "mode": "int?",
        "difficulty": "int?",
        "repeat_action_probability": "num",
        "frameskip": "int",
    },
    metadata={"game_name": "str", "action_meanings": "[str]"},
)


class TestAtari(EnvironmentContract):
    id = "openenv/Atari-v0"


class TestAtariMemory(TrajectoryContract):
    id = "openenv/Atari.breakout-v0"
    options: ClassVar[dict[str, Any]] = {"obs_type": "ram", "frameskip": (2, 5)}
