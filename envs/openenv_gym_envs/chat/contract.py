"""The contract tests of Chat, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract, TrajectoryContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"tokens": "[int]!"},
    observation={"messages": "[obj]", "tokens": "[int]"},
    sample={"tokens": [1]},
    state={"history_messages": "[obj]", "history_tokens": "[[int]]"},
    reset_reward=None,
)


class TestChat(EnvironmentContract):
    id = "openenv/Chat-v0"
    options: ClassVar[dict[str, Any]] = {
        "system_prompt": "You are kind.",
        "prompts": ["Hello!", "Hola", "やあ"],
        "max_tokens": 200,
    }


class TestChatInText(TrajectoryContract):
    id = "openenv/Chat-v0"
    options: ClassVar[dict[str, Any]] = {"mode": "text", "reply": ["Go on.", "<|im_end|>", "🌍"]}
