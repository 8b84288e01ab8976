"""JSON-RPC: how a client of OpenEnv's protocol makes a session that outlives its connections."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from pydantic import ValidationError

from openenv_gym.errors import ServerFullError, SessionLostError
from openenv_gym.server.sessions import CLOSE_LIMIT
from openenv_gym.server.stock.lobby import Lobby
from openenv_gym.server.stock.problems import FactoryError, facts_of, message_of
from openenv_gym.server.stock.requests import RpcRequest

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR, SERVER_ERROR = -32602, -32603, -32000

_TOOLS = ("tools/list", "tools/call")

Reply = dict[str, Any]


async def answer_bytes(lobby: Lobby, data: bytes) -> Reply:
    """The reply to a request as it comes over HTTP."""
    try:
        return await answer(lobby, json.loads(data))
    except (ValueError, RecursionError):
        return _error(None, PARSE_ERROR, "Parse error")


async def answer(lobby: Lobby, data: Any, session: str | None = None) -> Reply:
    """The reply to a request.

    Args:
        lobby: Where sessions begin.
        data: The request.
        session: Id of the session that the WebSocket has over which it came.
    """
    if not isinstance(data, dict):
        return _error(None, PARSE_ERROR, "Parse error")
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
    if request.method in _TOOLS:
        return _no_tools(lobby, request)
    return _error(request.id, METHOD_NOT_FOUND, f"Method not found: {request.method}")


async def _create(lobby: Lobby, request: RpcRequest, session: str | None) -> Reply:
    if session is not None:
        return _result(request.id, {"session_id": session})
    try:
        return _result(request.id, {"session_id": await lobby.open()})
    except (ServerFullError, FactoryError) as error:
        return _error(request.id, SERVER_ERROR, message_of(error), facts_of(error))


async def _close(lobby: Lobby, request: RpcRequest, session: str | None) -> Reply:
    id = request.params.get("session_id")
    if not isinstance(id, str) or not id:
        message = "Invalid params - 'session_id' is required"
        return _error(request.id, INVALID_PARAMS, message)
    if id == session:
        message = "Cannot close active WebSocket-managed session via MCP method"
        return _error(request.id, INVALID_REQUEST, message)
    try:
        ended = lobby.sessions.leave(id)
    except SessionLostError:
        return _error(request.id, INVALID_PARAMS, f"Unknown session_id: {id}")
    if ended is not None:
        done, _ = await asyncio.wait({ended}, timeout=CLOSE_LIMIT)
        if done:
            return _result(request.id, {"session_id": id, "closed": True})
    return _result(request.id, {"session_id": id, "closed": False, "closing": True})


def _no_tools(lobby: Lobby, request: RpcRequest) -> Reply:
    id = request.params.get("session_id")
    if id is not None and not (isinstance(id, str) and lobby.sessions.has(id)):
        return _error(request.id, INVALID_PARAMS, f"Unknown session_id: {id}")
    return _error(request.id, INTERNAL_ERROR, "Environment does not support MCP")


def _result(id: str | int | None, result: Reply) -> Reply:
    return {"jsonrpc": "2.0", "id": id, "result": result}


def _error(id: str | int | None, code: int, message: str, data: Any = None) -> Reply:
    error = {"code": code, "message": message, "data": data}
    return {"jsonrpc": "2.0", "id": id, "error": error}
