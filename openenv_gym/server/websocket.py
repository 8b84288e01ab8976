"""The WebSocket face: ``/ws``, binary frames, one message each.

A client that offers our subprotocol speaks it; any other speaks OpenEnv's own protocol.
"""

from __future__ import annotations

import asyncio
from functools import partial

from openenv_gym.server.doorkeeper import connection_of, welcome
from openenv_gym.server.events import (
    ANSWER_FRAMES,
    App,
    Event,
    Events,
    Receive,
    Scope,
    Send,
    until_closed,
)
from openenv_gym.server.sessions import HEADER_BYTES, Sessions, new_id
from openenv_gym.wire.names import SUBPROTOCOL

_UNSUPPORTED, _TAKEN_OVER = 1003, 4000
_PAUSE = 0.02  # seconds more after each message of a stranger that does not begin a session


class WebSocketFace:
    """An ASGI application for WebSockets.

    Args:
        sessions: Those that it serves.
        openenv: Serves the clients of OpenEnv's own protocol, from the reply to their handshake on.
    """

    def __init__(self, sessions: Sessions, openenv: App) -> None:
        self._sessions = sessions
        self._openenv = openenv

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection, from the handshake to its end."""
        await receive()  # the handshake, which is all in the scope
        if SUBPROTOCOL in scope["subprotocols"]:
            await self._converse(scope, receive, send)
        else:
            await self._openenv(scope, receive, send)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Our protocol: a request, its reply, and so on."""
        given = dict(scope["headers"]).get(HEADER_BYTES, b"").decode("latin-1")
        id = given or new_id()
        accept = {
            "type": "websocket.accept",
            "subprotocol": SUBPROTOCOL,
            "headers": [(HEADER_BYTES, id.encode("latin-1"))],
        }
        await send(accept)
        line, events, pause = _Line(send), Events(receive), 0.0
        if (offer := scope["extensions"].get(ANSWER_FRAMES)) is not None:
            offer(partial(self._sessions.step_at_once, id, line))
        try:
            while (event := await events.next())["type"] == "websocket.receive":
                data = event.get("bytes")
                if data is None:
                    reason = f"{SUBPROTOCOL} has binary frames only"
                    await send(_close(_UNSUPPORTED, reason))
                    return
                reply = self._sessions.submit(id, data, line)
                stranger = id not in self._sessions
                if not stranger:
                    welcome(scope)
                if not isinstance(reply, bytes):
                    if not await events.outlast(reply):
                        return
                    reply = reply.result()
                if line.ended:
                    return
                await send({"type": "websocket.send", "bytes": reply})
                if stranger:
                    pause += _PAUSE
                    await asyncio.sleep(pause)
        except OSError:
            return  # it broke while we were writing: the client may resume
        finally:
            events.close()
            connection = connection_of(scope)
            gone = connection is not None and connection.direct
            self._sessions.detach(id, line, gone=gone)


class _Line:
    """One WebSocket, for the session that is attached to it."""

    def __init__(self, send: Send) -> None:
        self._send = until_closed(send)
        self.ended = False
        self._task: asyncio.Task[None] | None = None  # kept, or it might be collected

    def hang_up(self, reason: str) -> None:
        self.ended = True
        self._task = asyncio.ensure_future(self._close(reason))

    async def _close(self, reason: str) -> None:
        try:
            await self._send(_close(_TAKEN_OVER, reason))
        except OSError:
            return  # it is gone already


def _close(code: int, reason: str) -> Event:
    return {"type": "websocket.close", "code": code, "reason": reason}
