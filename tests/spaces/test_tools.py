"""Calls of tools as actions, in each form."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Dict, Discrete, OneOf

from openenv_gym.errors import ActionError, OptionError
from openenv_gym.spaces.describe import describe, parse
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.tools import ToolActions, ToolSpec, calls_tools, read_tool
from openenv_gym.spaces.utf8 import Utf8


def tool(name: str, required: tuple[str, ...] = (), **properties: Any) -> ToolSpec:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolSpec(name, f"{name}.", schema)


DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}
ADD = tool("add", ("a",), a=DIGIT, b={**DIGIT, "default": 3})
LOOK = tool("look", ("at",), at={"enum": ["up", "down"], "type": "string"})
WAIT = tool("wait")
SAY = tool("say", ("text",), text={"type": "string"})
OBJECT = JsonText({"type": "object"})


@pytest.mark.parametrize(
    ("tools", "form", "space"),
    [
        ([ADD], "single", Dict({"a": Discrete(10), "b": Discrete(10)})),
        ([WAIT], "single", Dict({})),
        ([LOOK, WAIT], "oneof", OneOf([Dict({"at": Discrete(2)}), Dict({})])),
        ([SAY], "json", Dict({"tool": Discrete(1), "arguments": OBJECT})),
        (
            [ADD, SAY],
            "json",
            Dict({"tool": Discrete(2), "arguments": OBJECT}),
        ),
        ([], "json", Dict({"tool": Utf8(256), "arguments": OBJECT})),
    ],
)
def test_the_form_that_the_arguments_allow(tools: list[ToolSpec], form: str, space: Any) -> None:
    actions = ToolActions(tools)
    assert actions.form == form
    assert parse(describe(actions.space)) == actions.space
    assert actions.space == space
    actions.space.seed(0)
    for _ in range(50):
        value = actions.space.sample()
        call = actions.call(value)
        assert json.loads(json.dumps(call.arguments)) == call.arguments
        if call.tool in actions.tools:
            again = actions.value(call.tool, call.arguments)
            assert actions.space.contains(again)
            assert actions.call(again) == call


def test_the_form_that_is_wanted() -> None:
    assert ToolActions([ADD], "oneof").form == "oneof"
    assert ToolActions([ADD, LOOK], "json").form == "json"
    with pytest.raises(OptionError, match=r"action\.say\.text.*Use actions='json'"):
        ToolActions([ADD, SAY], "oneof")


def test_values_of_calls() -> None:
    actions = ToolActions([ADD, LOOK])
    assert actions.value("look", {"at": "down"}) == (1, {"at": 1})
    assert actions.value("add", {"a": np.int64(4)}) == (0, {"a": 4, "b": 3})
    texts = ToolActions([ADD, SAY])
    assert texts.value("say", {"text": "Hé"}) == {"tool": 1, "arguments": '{"text":"Hé"}'}


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("loock", {}, "'loock' does not exist. Did you mean 'look'?"),
        ("look", {"at": "left"}, "not among its 2 values"),
        ("look", {}, "action.look.at is missing"),
        ("look", {"at": "up", "of": 1}, "action.look.of is not in"),
        ("add", {"a": 10}, "not an integer of 0 to 9"),
    ],
)
def test_calls_that_are_not_in_the_space(name: str, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ActionError, match=said):
        ToolActions([ADD, LOOK]).value(name, arguments)


def test_tools_as_mcp_has_them() -> None:
    assert read_tool({"name": "x", "description": None, "inputSchema": {"type": "object"}}) == (
        ToolSpec("x", "", {"type": "object"})
    )


def test_schemas_of_actions_that_call_tools() -> None:
    call = {"properties": {"type": {"const": "call_tool"}, "tool_name": {"type": "string"}}}
    assert calls_tools(call)
    assert calls_tools({"oneOf": [{"$ref": "#/$defs/Call"}], "$defs": {"Call": call}})
    for other in (None, {}, {"properties": {"tool_name": {"type": "string"}}}):
        assert not calls_tools(other)
