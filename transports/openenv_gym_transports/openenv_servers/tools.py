"""Environments of OpenEnv's own servers whose actions call tools, such as ``MCPEnvironment``."""

from __future__ import annotations

import contextlib
from typing import Any

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym.sessions.payload import Conversation, Payload, keywords
from openenv_gym.sessions.tools import ToolAdapter
from openenv_gym.spaces.tools import LIST_TOOLS, ToolSpec, calls_tools, read_tool
from openenv_gym_transports.openenv_servers.server import Schemas


def make_tool_adapter(
    conversation: Conversation, schemas: Schemas, form: str | None
) -> ToolAdapter | None:
    """Return the adapter of an environment whose actions call tools; None where they do not.

    Args:
        conversation: The session with the server.
        schemas: The server's schemas.
        form: Form of the actions, as :class:`~openenv_gym.spaces.tools.ToolActions` takes it.
    """
    if not calls_tools(schemas.action):
        return None
    return ToolAdapter(RemoteToolEnvironment(conversation), form)


class RemoteToolEnvironment:
    """An environment on a server whose actions call tools.

    Args:
        conversation: The session with the server.
    """

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._begun = False

    def tools(self) -> list[ToolSpec]:
        """Implements ToolEnvironment.tools.

        The action that lists them names all tools, but some environments count it as a step of the
        episode, and some do not know it. MCP's own method is not a step, but older servers, and
        environments that are not an ``MCPEnvironment``, do not know that.
        """
        ways = [self._by_action, self._by_method]
        for list_tools in reversed(ways) if self._begun else ways:
            with contextlib.suppress(EnvironmentFailedError):
                found = list_tools()
                if found:
                    return [read_tool(tool) for tool in found]
        return []

    def _by_action(self) -> list[dict[str, Any]]:
        payload = self._conversation.step({"type": LIST_TOOLS})
        return payload["observation"].get("tools") or []

    def _by_method(self) -> list[dict[str, Any]]:
        return self._conversation.rpc("tools/list", {}).get("tools") or []

    def begin(self, seed: int | None, options: dict[str, Any]) -> Payload:
        """Implements ToolEnvironment.begin."""
        self._begun = True
        return self._conversation.reset(keywords(seed, options))

    def carry_out(self, action: Payload) -> Payload:
        """Implements ToolEnvironment.carry_out."""
        return self._conversation.step(action)

    def state(self) -> Payload:
        """Implements ToolEnvironment.state."""
        return self._conversation.state()

    def close(self) -> None:
        """Implements ToolEnvironment.close."""
        self._conversation.close()
