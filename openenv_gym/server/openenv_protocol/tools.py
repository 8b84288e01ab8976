"""Tools for clients of MCP: those of the environment, or ``reset`` and ``step``.

An environment whose actions call tools offers its own, as OpenEnv's own server does: a call is not
a step of the episode. Any other offers its action as the tool ``step``, whose arguments are the
fields of the action, and ``reset``.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic import ValidationError

from openenv_gym.errors import ActionError, OpenEnvGymError
from openenv_gym.server.openenv_protocol.exchange import carrier, result_data, written
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.server.openenv_protocol.openapi import reset_schema
from openenv_gym.server.openenv_protocol.problems import message_of, problems_of
from openenv_gym.server.openenv_protocol.requests import ResetData
from openenv_gym.wire.messages import Answer, JsonDescription, Query, Reply, Request, Result, Step

Json = dict[str, Any]


def own_tools(found: JsonDescription, summary: str) -> list[Json]:
    """Return the tools of an environment whose actions do not call tools.

    Args:
        found: What is known of the environment.
        summary: What it is, in a line.
    """
    return [
        {
            "name": "reset",
            "description": f"Begin an episode of {found.environment} ({summary}); returns the "
            "first observation. Call it before step, and when an episode is done.",
            "inputSchema": {**reset_schema(found), "type": "object"},
        },
        {
            "name": "step",
            "description": "Carry out one action; returns observation, reward, and whether the "
            "episode is done.",
            "inputSchema": _arguments(found.action_space),
        },
    ]


def _arguments(action: Json) -> Json:
    """Return the schema of an action without what a model has nothing to say about."""
    properties = {
        k: reported for k, reported in action.get("properties", {}).items() if k != "metadata"
    }
    return {**action, "type": "object", "properties": properties}


async def list_tools(lobby: Lobby, session: str | None) -> list[Json]:
    """Return the tools of the environment, as MCP has them.

    Args:
        lobby: Where sessions begin.
        session: Id of the session whose tools they are; None makes one for that.

    Raises:
        OpenEnvGymError: There is no session, or no room for one.
    """
    found = await lobby.description()
    if not found.calls_tools:
        about = await lobby.about()
        return own_tools(found, str(about["description"]))
    tools: list[Json] = await _asked(lobby, session, Query("mcp_tools"))
    return tools


async def call_tool(lobby: Lobby, session: str | None, name: str, arguments: Json) -> Json:
    """Return the result of a tool, as MCP has it; also of ``reset`` and ``step``.

    Args:
        lobby: Where sessions begin.
        session: Id of the session; None makes one for that.
        name: Name of the tool.
        arguments: Its arguments.

    Raises:
        OpenEnvGymError: The tool failed, or there is no session, or no room for one.
    """
    found = await lobby.description()
    if found.calls_tools:
        query = Query("call_tool", {"name": name, "arguments": arguments})
        result: Json = await _asked(lobby, session, query)
        return result
    data: Json = await _asked(lobby, session, _request(name, arguments))
    for field, part in found.observation_space.get("properties", {}).items():
        if part.get("hidden"):  # from who plays
            data["observation"].pop(field, None)
    return _result(data)


def _request(name: str, arguments: Json) -> Request:
    if name == "step":
        return Step(arguments)
    if name != "reset":
        raise ActionError(f"Unknown tool: {name!r}. There are reset and step.", tool=name)
    try:
        return ResetData.model_validate(arguments).request()
    except ValidationError as error:
        problem = problems_of(error)[0]
        place = ".".join(map(str, problem["loc"]))
        raise ActionError(f"The arguments of reset: {place}: {problem['msg']}.") from error


async def _asked(lobby: Lobby, session: str | None, request: Request) -> Any:
    """Return the value of the reply to a request."""
    id = session or await lobby.open()
    try:
        value = await lobby.ask(id, request, _VALUE)
    finally:
        if session is None:
            lobby.sessions.leave(id)
    if isinstance(value, OpenEnvGymError):
        raise value
    return value


def _value(reply: Reply) -> Any:
    if isinstance(reply, Answer):
        return reply.value
    assert isinstance(reply, Result), "it was a reset or a step"
    data = result_data(reply)
    return json.loads(written({**data, "metadata": reply.info} if reply.info else data))


_VALUE = carrier(_value, lambda error: error)


def _result(data: Json) -> Json:
    """Return what a tool gave as OpenEnv's own server writes it."""
    text = {"type": "text", "text": json.dumps(data, ensure_ascii=False)}
    more = {"structured_content": data, "meta": None, "data": data, "is_error": False}
    return {"content": [text], **more}


def for_mcp(result: Json) -> Json:
    """Return a result with the names that MCP itself has."""
    structured = result.get("structured_content")
    found = {"content": result.get("content") or [], "isError": bool(result.get("is_error"))}
    if isinstance(structured, dict):
        found["structuredContent"] = structured
    return found


def failed(error: OpenEnvGymError) -> Json:
    """Return the result of a tool that failed, as MCP has it: the model is to read why."""
    return {"content": [{"type": "text", "text": message_of(error)}], "isError": True}
