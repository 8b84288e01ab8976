"""The typed API of environments whose actions call tools, such as OpenEnv's ``MCPEnvironment``.

::

    with ToolClient(base_url="http://localhost:8000") as env:
        env.reset()
        print([tool.name for tool in env.list_tools()])
        print(env.call_tool("echo_message", message="Hello!"))
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from openenv_gym.client.typed import EnvClient
from openenv_gym.errors import EnvironmentFailedError, SpaceError
from openenv_gym.models import Action, Observation, State
from openenv_gym.spaces.tools import ToolActions, ToolSpec, read_tool


class CallToolAction(Action):
    """A call of a tool.

    Attributes:
        type: What it is, in OpenEnv's protocol.
        tool_name: Name of the tool.
        arguments: Its arguments.
    """

    type: Literal["call_tool"] = "call_tool"
    tool_name: str
    arguments: dict[str, Any] = Field(default_factory=dict)


class CallToolObservation(Observation):
    """What came of a call, or of a reset.

    Attributes:
        tool_name: What was called; empty after a reset.
        result: What the tool returned. After a reset a text: what the environment says, as JSON.
        error: Why the call failed; None where it did not.
    """

    tool_name: str = ""
    result: Any = None
    error: str | None = None


class ToolClient(EnvClient[CallToolAction, CallToolObservation, State]):
    """An environment whose actions call tools; the arguments are those of :class:`EnvClient`.

    Raises:
        SpaceError: The actions of the environment do not call tools.
    """

    def _bind(self) -> None:
        """Implements EnvClient._bind: the calls are those of the environment's tools."""
        if "tools" not in self.env.metadata:
            raise SpaceError(
                f"{type(self).__name__} is for environments whose actions call tools. Take the "
                "client of this environment's models, or GenericClient."
            )
        tools = map(read_tool, self.env.metadata["tools"])
        actions = ToolActions(tools, self.env.metadata["actions"])
        self._to_space = lambda action: actions.value(action.tool_name, action.arguments)
        self._fields = _fields

    def list_tools(self) -> list[ToolSpec]:
        """Return the tools that there are now."""
        return self.env.tools()

    def call_tool(self, name: str, **arguments: Any) -> Any:
        """Call a tool, as a step of the episode; :meth:`step` returns reward and end as well.

        Returns:
            What the tool returned.

        Raises:
            ActionError: There is no such tool, or it does not take these arguments.
            EnvironmentFailedError: The tool failed.
        """
        observation = self.step(CallToolAction(tool_name=name, arguments=arguments)).observation
        if observation.error is not None:
            raise EnvironmentFailedError(
                f"The tool {name!r} failed: {observation.error}", tool=name
            )
        return observation.result


def _fields(value: Mapping[str, Any], info: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an observation, by a value of its Space and its info."""
    result = json.loads(info["result"]) if "result" in info else value["result"] or None
    return {
        "tool_name": value["tool_name"],
        "result": result,
        "error": value["error"] or None,
        "metadata": {name: item for name, item in info.items() if name != "result"},
    }
