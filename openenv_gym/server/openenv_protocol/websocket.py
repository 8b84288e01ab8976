"""The WebSockets of OpenEnv's protocol: text frames of JSON, a reply to each, in order.

A connection has a session of its own, which ends with it; or, by ``?session_id=``, one that was
made by ``openenv/session/create``, which stays. At ``/ws`` a frame says what it is; at ``/mcp`` it
is a request of JSON-RPC.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qs

from pydantic import BaseModel, ValidationError

from openenv_gym.errors import (
    OpenEnvGymError,
    ServerClosingError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.server.doorkeeper import welcome
from openenv_gym.server.events import Event, Events, Receive, Scope, Send, until_closed
from openenv_gym.server.openenv_protocol import mcp
from openenv_gym.server.openenv_protocol.exchange import FRAME, error_frame, refusal_frame
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.server.openenv_protocol.problems import FactoryError, problems_of
from openenv_gym.server.openenv_protocol.requests import (
    CloseMessage,
    McpMessage,
    ResetMessage,
    StateMessage,
    StepMessage,
)
from openenv_gym.server.sessions import MALFORMED_PAUSE, new_id
from openenv_gym.wire.messages import GetState, Request, Step

MAX_FRAME = 1 << 24
"""Characters of the largest frame, as with OpenEnv's own server."""

_NORMAL, _TOO_BIG = 1000, 1009

_MESSAGES: Mapping[str, type[BaseModel]] = {
    "reset": ResetMessage,
    "step": StepMessage,
    "state": StateMessage,
    "close": CloseMessage,
    "mcp": McpMessage,
}


class OpenEnvWebSocket:
    """An ASGI application for WebSockets whose handshake event was received.

    Args:
        lobby: Where sessions begin.
    """

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection, from the handshake to its end."""
        await send({"type": "websocket.accept"})
        query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
        wanted = query.get("session_id", [""])[0]
        events = Events(receive, pipelined=True)
        await _Conversation(self._lobby, wanted, events, send, partial(welcome, scope)).hold()


class RpcWebSocket:
    """An ASGI application for WebSockets whose frames are requests of JSON-RPC.

    Args:
        lobby: Where sessions begin.
    """

    def __init__(self, lobby: Lobby) -> None:
        self._lobby = lobby

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection."""
        await receive()  # the handshake
        await send({"type": "websocket.accept"})
        events = Events(receive, pipelined=True)
        await _RpcConversation(self._lobby, "", events, send, partial(welcome, scope)).hold()


class _Over(Exception):  # noqa: N818  # no error: a conversation ends
    """The conversation is over; what there was to say is said."""


class _Conversation:
    """One connection; for its session, the line that it is attached to."""

    def __init__(
        self, lobby: Lobby, wanted: str, events: Events, send: Send, welcome: Callable[[], None]
    ) -> None:
        self._lobby = lobby
        self._welcome = welcome
        self._sessions = lobby.sessions
        self._owner = not wanted
        self._id = wanted or new_id()
        self._caller = mcp.Caller(self._id, connected=True)
        self._events = events
        self._send = until_closed(send)
        self._ended = False
        self._pause = 0.0  # seconds until the next frame is taken
        self._task: asyncio.Task[None] | None = None  # kept, or it might be collected

    async def hold(self) -> None:
        """Holds it, to its end."""
        try:
            await (self._begin() if self._owner else self._attach())
            while (event := await self._events.next())["type"] == "websocket.receive":
                await self._take(event)
                # Events that are there already do not wait, so other clients would.
                await asyncio.sleep(self._pause)
                self._pause = 0.0
        except (_Over, OSError):
            return  # OSError: it broke while we were writing
        finally:
            self._events.close()
            self._part()

    def _part(self) -> None:
        if self._owner and self._sessions.has(self._id):
            self._sessions.leave(self._id)
        self._sessions.detach(self._id, self)

    async def _begin(self) -> None:
        try:
            opened = self._lobby.begin(self._id)
        except (ServerFullError, ServerClosingError) as error:
            await self._end(error)
        self._sessions.attach(self._id, self)
        self._welcome()
        result = await self._outlast(opened)
        if isinstance(result, FactoryError):
            await self._end(result)

    async def _attach(self) -> None:
        try:
            self._sessions.attach(self._id, self)
        except SessionLostError:
            await self._end(SessionLostError(f"Unknown session_id: {self._id}"))
        self._welcome()

    async def _take(self, event: Event) -> None:
        text = event.get("text")
        if text is None:
            await self._end(SessionLostError("OpenEnv's protocol has text frames only."))
        if len(text) > MAX_FRAME:
            reason = f"a frame may have {MAX_FRAME} characters"
            await self._close(_TOO_BIG, reason)
            raise _Over
        try:
            message = json.loads(text)
        except (ValueError, RecursionError) as error:
            frame: str | None = self._no_json(error)
            self._pause = MALFORMED_PAUSE
        else:
            if not isinstance(message, dict):
                kind = type(message).__name__
                await self._end(SessionLostError(f"A frame is a JSON object, no {kind}."))
            frame = await self._reply(message)
        if self._ended:
            raise _Over
        if frame is not None:  # a notification has no reply
            await self._send({"type": "websocket.send", "text": frame})

    def _no_json(self, error: Exception) -> str:
        """Return the frame that reports that a frame was not valid JSON."""
        return error_frame("INVALID_JSON", f"Invalid JSON: {error}")

    def _refusal(self, error: OpenEnvGymError) -> str:
        """Return the frame that reports an error."""
        return refusal_frame(error)

    async def _reply(self, message: dict[str, Any]) -> str | None:
        kind = message.get("type", "")
        model = _MESSAGES.get(kind) if isinstance(kind, str) else None
        if model is None:
            self._pause = MALFORMED_PAUSE
            return error_frame("UNKNOWN_TYPE", f"Unknown message type: {str(kind)[:100]}")
        try:
            asked = model.model_validate(message)
        except ValidationError as error:
            self._pause = MALFORMED_PAUSE
            return _invalid(error)
        if isinstance(asked, CloseMessage):
            await self._close(_NORMAL, "")
            raise _Over
        if isinstance(asked, McpMessage):
            data = await mcp.answer(self._lobby, asked.data, self._caller)
            return None if data is None else json.dumps({"type": "mcp", "data": data})
        try:
            reply = self._sessions.ask(self._id, _request(asked), FRAME)
        except SessionLostError as error:
            await self._end(error)
        frame: str = await self._outlast(reply)
        return frame

    async def _outlast(self, reply: Any) -> Any:
        """The reply, if the client waits for it."""
        if isinstance(reply, asyncio.Future):
            if not await self._events.outlast(reply):
                raise _Over
            return reply.result()
        return reply

    async def _end(self, error: OpenEnvGymError) -> NoReturn:
        await self._say_and_close(error)
        raise _Over

    async def _say_and_close(self, error: OpenEnvGymError) -> None:
        await self._send({"type": "websocket.send", "text": self._refusal(error)})
        await self._close(_NORMAL, "")

    async def _close(self, code: int, reason: str) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": reason})

    def hang_up(self, reason: str) -> None:
        """Implements Line.hang_up."""
        self._ended = True
        self._task = asyncio.ensure_future(self._hang_up(reason))

    async def _hang_up(self, reason: str) -> None:
        try:
            await self._say_and_close(SessionLostError(f"The session ends here: {reason}."))
        except OSError:
            return  # it is gone already


class _RpcConversation(_Conversation):
    """A connection whose frames are requests of JSON-RPC."""

    async def _reply(self, message: dict[str, Any]) -> str | None:
        data = await mcp.answer(self._lobby, message, self._caller)
        return None if data is None else json.dumps(data)

    def _no_json(self, error: Exception) -> str:
        return json.dumps(mcp.parse_error(str(error)))

    def _refusal(self, error: OpenEnvGymError) -> str:
        return json.dumps(mcp.refusal(error))


def _request(asked: BaseModel) -> Request:
    if isinstance(asked, ResetMessage):
        return asked.data.request()
    return Step(asked.data) if isinstance(asked, StepMessage) else GetState()


def _invalid(error: ValidationError) -> str:
    problems = problems_of(error)
    first = problems[0]
    place = ".".join(map(str, first["loc"]))
    message = f"Invalid message: {place}: {first['msg']}"
    return error_frame("VALIDATION_ERROR", message, errors=problems)
