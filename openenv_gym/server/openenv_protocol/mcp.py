"""JSON-RPC at ``/mcp``: sessions and tools, for clients of OpenEnv's protocol and of MCP itself.

A client of MCP begins with ``initialize``; over HTTP the reply names its session in the header
``Mcp-Session-Id``, which comes back with each further request. One of OpenEnv's makes a session by
``openenv/session/create``, names it in ``params.session_id``, and gets results as OpenEnv's own
server writes them.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from openenv_gym import __version__
from openenv_gym.errors import OpenEnvGymError, ServerFullError, SessionLostError
from openenv_gym.server.openenv_protocol import tools
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.server.openenv_protocol.problems import FactoryError, facts_of, message_of
from openenv_gym.server.openenv_protocol.requests import RpcRequest
from openenv_gym.server.sessions import CLOSE_LIMIT

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR, SERVER_ERROR = -32602, -32603, -32000

INITIALIZE = "initialize"

# Versions of MCP in which a session begins with initialize, and tools are as they are here.
_VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")

_NO_SESSION = (
    "This request names no session, so there is no episode to go on with. Begin one with "
    "initialize (its reply has the header Mcp-Session-Id), or with openenv/session/create, whose "
    "session_id goes into params."
)

Reply = dict[str, Any]


@dataclass
class Caller:
    """Whoever sends requests.

    Attributes:
        session: Id of the session that its connection has; None where each request names it.
        is_mcp: It speaks MCP itself: it has sent ``initialize``.
        connected: The session ends with the connection.
    """

    session: str | None = None
    is_mcp: bool = False
    connected: bool = False


async def answer_bytes(lobby: Lobby, data: bytes, caller: Caller) -> Reply | None:
    """Return the reply to a request as it comes over HTTP; None for one that has no reply."""
    try:
        return await answer(lobby, json.loads(data), caller)
    except (ValueError, RecursionError):
        return parse_error()


async def answer(lobby: Lobby, data: Any, caller: Caller) -> Reply | None:
    """Return the reply to a request; None for one that has no reply.

    Args:
        lobby: Where sessions begin.
        data: The request.
        caller: Who sent it.
    """
    if not isinstance(data, dict):
        return parse_error()
    try:
        request = RpcRequest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return _error(None, INVALID_REQUEST, f"Invalid request: {place}: {first['msg']}")
    if request.method.startswith("notifications/"):
        return None
    if request.method == INITIALIZE:
        return await _initialize(lobby, request, caller)
    if request.method == "ping":
        return _result(request.id, {})
    if request.method == "openenv/session/create":
        return await _create(lobby, request, caller)
    if request.method == "openenv/session/close":
        return await _close(lobby, request, caller)
    named = request.params.get("session_id")
    if caller.session is None and named and not _is_session(lobby, named):
        return _unknown(request)
    if request.method == "tools/call" and not request.params.get("name"):
        return _error(request.id, INVALID_PARAMS, "Missing 'name' in params")
    if request.method in ("tools/list", "tools/call"):
        return await _tools(lobby, request, caller, caller.session or named or None)
    return _error(request.id, METHOD_NOT_FOUND, f"Method not found: {request.method}")


def parse_error(reason: str = "") -> Reply:
    """Return the reply to what is not JSON, or not an object."""
    return _error(None, PARSE_ERROR, f"Parse error: {reason}" if reason else "Parse error")


def refusal(error: OpenEnvGymError, id: str | int | None = None) -> Reply:
    """Return the reply that says why there is no session."""
    return _error(id, SERVER_ERROR, message_of(error), facts_of(error) or None)


async def _initialize(lobby: Lobby, request: RpcRequest, caller: Caller) -> Reply:
    if caller.session is None:
        try:
            caller.session = await lobby.open()
        except (ServerFullError, FactoryError) as error:
            return refusal(error, request.id)
    caller.is_mcp = True
    wanted = request.params.get("protocolVersion")
    about = await lobby.about()
    return _result(
        request.id,
        {
            "protocolVersion": wanted if wanted in _VERSIONS else _VERSIONS[0],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": lobby.entry.name, "version": __version__},
            "instructions": about["description"],
        },
    )


async def _tools(lobby: Lobby, request: RpcRequest, caller: Caller, session: str | None) -> Reply:
    """Return the reply to ``tools/list`` or ``tools/call``."""
    params = request.params
    try:
        if request.method == "tools/list":
            return _result(request.id, {"tools": await tools.list_tools(lobby, session)})
        if session is None and not (await lobby.description()).calls_tools:
            return _error(request.id, INVALID_PARAMS, _NO_SESSION)
        arguments = params.get("arguments")
        result = await tools.call_tool(
            lobby, session, str(params["name"]), arguments if isinstance(arguments, dict) else {}
        )
    except (ServerFullError, FactoryError, SessionLostError) as error:
        return refusal(error, request.id)
    except OpenEnvGymError as error:
        if caller.is_mcp:
            return _result(request.id, tools.failed(error))
        return _error(request.id, INTERNAL_ERROR, message_of(error))
    return _result(request.id, tools.for_mcp(result) if caller.is_mcp else result)


async def _create(lobby: Lobby, request: RpcRequest, caller: Caller) -> Reply:
    if caller.session is not None:
        return _result(request.id, {"session_id": caller.session})
    try:
        return _result(request.id, {"session_id": await lobby.open()})
    except (ServerFullError, FactoryError) as error:
        return refusal(error, request.id)


async def _close(lobby: Lobby, request: RpcRequest, caller: Caller) -> Reply:
    id = request.params.get("session_id")
    if not id:
        message = "Invalid params - 'session_id' is required"
        return _error(request.id, INVALID_PARAMS, message)
    if caller.connected and id == caller.session:
        message = "Cannot close active WebSocket-managed session via MCP method"
        return _error(request.id, INVALID_REQUEST, message)
    if not isinstance(id, str):
        return _unknown(request)
    try:
        ended = lobby.sessions.leave(id)
    except SessionLostError:
        return _unknown(request)
    if ended is not None:
        done, _ = await asyncio.wait({ended}, timeout=CLOSE_LIMIT)
        if done:
            return _result(request.id, {"session_id": id, "closed": True})
    return _result(request.id, {"session_id": id, "closed": False, "closing": True})


def _is_session(lobby: Lobby, id: Any) -> bool:
    return isinstance(id, str) and lobby.sessions.has(id)


def _unknown(request: RpcRequest) -> Reply:
    shown = str(request.params.get("session_id"))[:100]
    return _error(request.id, INVALID_PARAMS, f"Unknown session_id: {shown}")


def _result(id: str | int | None, result: Reply) -> Reply:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def _error(id: str | int | None, code: int, message: str, data: Any = None) -> Reply:
    error = {"code": code, "message": message, "data": data}
    return {"jsonrpc": "2.0", "id": id, "error": error}
