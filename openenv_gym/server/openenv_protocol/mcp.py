"""JSON-RPC: how a client of OpenEnv's protocol makes a session that outlives its connections.

Our environments have no tools of MCP. What asks for such is answered as openenv's own server
answers it of an environment that has none.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from pydantic import ValidationError

from openenv_gym.errors import OpenEnvGymError, ServerFullError, SessionLostError
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.server.openenv_protocol.problems import FactoryError, facts_of, message_of
from openenv_gym.server.openenv_protocol.requests import RpcRequest
from openenv_gym.server.sessions import CLOSE_LIMIT

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR, SERVER_ERROR = -32602, -32603, -32000

_NO_TOOLS = (
    "Environment does not support MCP: it has no tools. Reset it, and step it with its action, "
    "which GET /schema tells."
)

Reply = dict[str, Any]


async def answer_bytes(lobby: Lobby, data: bytes) -> Reply:
    """The reply to a request as it comes over HTTP."""
    try:
        return await answer(lobby, json.loads(data))
    except (ValueError, RecursionError):
        return parse_error()


async def answer(lobby: Lobby, data: Any, session: str | None = None) -> Reply:
    """The reply to a request.

    Args:
        lobby: Where sessions begin.
        data: The request.
        session: Id of the session that the WebSocket has over which it came.
    """
    if not isinstance(data, dict):
        return parse_error()
    try:
        request = RpcRequest.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        return _error(None, INVALID_REQUEST, f"Invalid request: {place}: {first['msg']}")
    if request.method == "openenv/session/create":
        return await _create(lobby, request, session)
    if request.method == "openenv/session/close":
        return await _close(lobby, request, session)
    named = request.params.get("session_id")
    if session is None and named and not _is_session(lobby, named):
        return _unknown(request)
    if request.method == "tools/call" and not request.params.get("name"):
        return _error(request.id, INVALID_PARAMS, "Missing 'name' in params")
    if request.method in ("tools/list", "tools/call"):
        return _error(request.id, INTERNAL_ERROR, _NO_TOOLS)
    return _error(request.id, METHOD_NOT_FOUND, f"Method not found: {request.method}")


def parse_error(reason: str = "") -> Reply:
    """The reply to what is no JSON, or no object."""
    return _error(None, PARSE_ERROR, f"Parse error: {reason}" if reason else "Parse error")


def refusal(error: OpenEnvGymError, id: str | int | None = None) -> Reply:
    """The reply that tells why there is no session."""
    return _error(id, SERVER_ERROR, message_of(error), facts_of(error) or None)


async def _create(lobby: Lobby, request: RpcRequest, session: str | None) -> Reply:
    if session is not None:
        return _result(request.id, {"session_id": session})
    try:
        return _result(request.id, {"session_id": await lobby.open()})
    except (ServerFullError, FactoryError) as error:
        return refusal(error, request.id)


async def _close(lobby: Lobby, request: RpcRequest, session: str | None) -> Reply:
    id = request.params.get("session_id")
    if not id:
        message = "Invalid params - 'session_id' is required"
        return _error(request.id, INVALID_PARAMS, message)
    if id == session:
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
