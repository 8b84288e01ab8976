"""The contract of Echo: what its tests hold it to over every transport, and its fields."""

from __future__ import annotations

from openenv_gym.testing import EnvironmentContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

# The form of OpenEnv's guide, for which users write their first client. In 0.10 its echo_env
# has tools of MCP in place of an action: another environment, whose actions have no Space.
OPENENV = OpenEnvFields(
    action={"message": "str!"},
    observation={"echoed_message": "str", "message_length": "int"},
    sample={"message": "Hello!"},
    stepped={"original_message": "str", "step": "int"},
)


class TestEcho(EnvironmentContract):
    id = "openenv/Echo-v0"
