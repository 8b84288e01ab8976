"""Calls of tools as actions: the Space of an environment whose actions name a tool and arguments.

In environments of OpenEnv's ``MCPEnvironment`` the possible actions are a list of tools, each with
a JSON schema of its arguments. :class:`ToolActions` makes the action space of that list, in one of
these forms:

- ``"single"``: there is one tool, and all its arguments are bounded: the Dict of its arguments.
- ``"oneof"``: a ``OneOf`` with a Dict of arguments for each tool.
- ``"json"``: ``Dict(tool=Discrete(number of tools), arguments=JsonText)``, the arguments as a JSON
  object. Where no tools are known before an episode begins, ``tool`` is a text too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.errors import ActionError, OptionError, SpaceError, did_you_mean
from openenv_gym.spaces import json_text
from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.json.read_schema import Problem, SchemaReader
from openenv_gym.spaces.json.values import fields
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.utf8 import Utf8

CALL_TOOL, LIST_TOOLS = "call_tool", "list_tools"
"""Values of ``type`` in an action of OpenEnv's protocol."""

_LONGEST_NAME = 256


class ToolSpec(NamedTuple):
    """A tool that an environment offers.

    Attributes:
        name: Name of the tool.
        description: Description of the tool in words.
        input_schema: JSON schema of the arguments, an object.
    """

    name: str
    description: str
    input_schema: dict[str, Any]


def read_tool(data: Mapping[str, Any]) -> ToolSpec:
    """Return the tool that JSON describes, in OpenEnv's form or in MCP's own."""
    schema = data.get("input_schema", data.get("inputSchema"))
    return ToolSpec(str(data["name"]), str(data.get("description") or ""), dict(schema or {}))


def calls_tools(schema: Any) -> bool:
    """Return whether actions of a schema call tools, like OpenEnv's ``CallToolAction``.

    Args:
        schema: JSON schema of the action; it is enough if one of several kinds calls tools.
    """
    if not isinstance(schema, Mapping):
        return False
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        kind = properties.get("type")
        if isinstance(kind, Mapping) and kind.get("const") == CALL_TOOL:
            return "tool_name" in properties
    others = schema.get("$defs")
    return isinstance(others, Mapping) and any(map(calls_tools, others.values()))


class ToolCall(NamedTuple):
    """A call of a tool.

    Attributes:
        tool: Name of the tool.
        arguments: Its arguments.
    """

    tool: str
    arguments: dict[str, Any]


class _Arguments(NamedTuple):
    """The Space of the arguments of one tool, and the problems of making it."""

    spaced: Spaced
    problems: list[Problem]
    sources: dict[str, str]


class ToolActions:
    """The action space of some tools, and the calls that its values stand for.

    Args:
        tools: The tools.
        form: ``"oneof"``, ``"json"`` or ``"single"``; None chooses by the arguments.

    Attributes:
        tools: The tools, by name.
        form: ``"single"``, ``"oneof"`` or ``"json"``.
        space: The action space.
        sources: Where the bounds of each leaf came from.

    Raises:
        OptionError: The form needs bounds that the arguments do not have.
    """

    def __init__(self, tools: Iterable[ToolSpec], form: str | None = None) -> None:
        self.tools = {tool.name: tool for tool in tools}
        self._names = list(self.tools)
        known = [_arguments(tool) for tool in self.tools.values()]
        self.form = _form(known, form)
        self._parts = [one.spaced for one in known]
        self.sources: dict[str, str] = {}
        if self.form == "json":
            count = len(known)
            tool: Space[Any] = spaces.Discrete(count) if count else Utf8(_LONGEST_NAME)
            arguments = JsonText({"type": "object"})
            self.space: Space[Any] = spaces.Dict([("tool", tool), ("arguments", arguments)])
            self.sources = {"action.tool": "schema", "action.arguments": "default"}
            return
        for one in known:
            self.sources |= one.sources
        self.space = self._parts[0].space
        if self.form == "oneof":
            self.space = spaces.OneOf([part.space for part in self._parts])

    def call(self, value: Any) -> ToolCall:
        """Return the call that a value of the action space stands for."""
        if self.form == "json":
            tool = value["tool"] if isinstance(value["tool"], str) else self._names[value["tool"]]
            return ToolCall(tool, json_text.load(value["arguments"]))
        index, arguments = (0, value) if self.form == "single" else (int(value[0]), value[1])
        return ToolCall(self._names[index], self._parts[index].converter.from_space(arguments))

    def value(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        """Return the value of the action space that a call stands for.

        Raises:
            ActionError: The tool does not exist, or the arguments are not in its Space.
        """
        if self._names and tool not in self.tools:
            raise ActionError(
                f"The tool {tool!r} does not exist.{did_you_mean(tool, self._names)} There are "
                f"{', '.join(self._names)}. The environment was not stepped.",
                tool=tool,
                known=self._names,
            )
        try:
            if self.form == "json":
                text = json_text.dump(_plain(dict(arguments)))
                return {"tool": self._index(tool), "arguments": text}
            index = self._names.index(tool)
            found = self._parts[index].converter.to_space(_plain(dict(arguments)))
        except (SpaceError, TypeError, ValueError) as error:
            raise ActionError(
                f"The tool {tool!r} cannot be called with these arguments: {error} The "
                "environment was not stepped.",
                tool=tool,
            ) from error
        return found if self.form == "single" else (np.int64(index), found)

    def _index(self, tool: str) -> Any:
        return np.int64(self._names.index(tool)) if self._names else tool


def _arguments(tool: ToolSpec) -> _Arguments:
    schema = tool.input_schema
    place = f"action.{tool.name}"
    if not schema.get("properties"):
        if not schema.get("additionalProperties"):
            return _Arguments(Spaced(spaces.Dict({}), fields({}, place)), [], {})
        problem = Problem(place, "takes any arguments", {"type": ...})
        return _Arguments(Spaced(spaces.Dict({}), fields({}, place)), [problem], {})
    reader = SchemaReader(schema, observed=False)
    return _Arguments(reader.read(schema, place), reader.problems, reader.sources)


def _form(known: list[_Arguments], wanted: str | None) -> str:
    """Return the form of the actions: the wanted one, if the arguments allow that."""
    problems = [problem for one in known for problem in one.problems]
    if wanted == "json" or (wanted is None and (problems or not known)):
        return "json"
    if problems or not known:
        listed = "; ".join(f"{problem.place}: {problem.reason}" for problem in problems)
        raise OptionError(
            f"actions={wanted!r} needs bounds for each argument of each tool, but some have none: "
            f"{listed or 'no tool is known yet'}. Use actions='json'.",
            actions=wanted,
        )
    return wanted or ("single" if len(known) == 1 else "oneof")


def _plain(value: Any) -> Any:
    """Return a value for JSON, with numbers and arrays of numpy converted to Python's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
