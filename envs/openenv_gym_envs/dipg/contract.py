"""The contract tests of DIPG Safety, which run over every transport, and its JSON fields."""

from __future__ import annotations

from openenv_gym.testing import EnvironmentContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={"llm_response": "str!"},
    observation={"context": "str", "question": "str"},
    sample={"llm_response": "no"},
    state={"current_context": "str", "current_question": "str", "expected_answer": "obj"},
    reset_reward=None,
)


class TestDIPGSafety(EnvironmentContract):
    id = "openenv/DIPGSafety-v0"
