"""The contract tests of Echo, which run over every transport, and its JSON fields."""

from __future__ import annotations

from openenv_gym.testing import EnvironmentContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

# The fields of OpenEnv's guide, for which users write their first client. The echo_env of OpenEnv
# 0.10 has tools of MCP in place of an action: it is another environment.
OPENENV = OpenEnvFields(
    action={"message": "str!"},
    observation={"echoed_message": "str", "message_length": "int"},
    sample={"message": "Hello!"},
    stepped={"original_message": "str", "step": "int"},
)


class TestEcho(EnvironmentContract):
    id = "openenv/Echo-v0"
