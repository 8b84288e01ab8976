"""The WebSocket face: ``/ws``, binary frames, one message each.

A client that offers our subprotocol speaks it; one that offers none speaks OpenEnv's own protocol.
"""

from __future__ import annotations

import asyncio
from functools import partial

from starlette.responses import PlainTextResponse

from openenv_gym.server.events import ANSWER_FRAMES, Event, Events, Receive, Scope, Send
from openenv_gym.server.sessions import Sessions, new_id

PATH = "/ws"
SUBPROTOCOL = "openenv-gym.1"
SESSION_HEADER = b"x-session-id"

_UNSUPPORTED, _TAKEN_OVER = 1003, 4000


class WebSocketFace:
    """An ASGI application for WebSockets.

    Args:
        sessions: Those that it serves.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one connection, from the handshake to its end."""
        await receive()  # the handshake, which is all in the scope
        if SUBPROTOCOL in scope["subprotocols"]:
            await self._converse(scope, receive, send)
        else:
            await self._refuse(scope, receive, send)

    async def _converse(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Our protocol: a request, its reply, and so on."""
        given = dict(scope["headers"]).get(SESSION_HEADER, b"").decode("latin-1")
        id = given or new_id()
        accept = {
            "type": "websocket.accept",
            "subprotocol": SUBPROTOCOL,
            "headers": [(SESSION_HEADER, id.encode("latin-1"))],
        }
        await send(accept)
        line, events = _Line(send), Events(receive)
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
                if not isinstance(reply, bytes):
                    if not await events.outlast(reply):
                        return
                    reply = reply.result()
                if line.ended:
                    return
                await send({"type": "websocket.send", "bytes": reply})
        except OSError:
            return  # it broke while we were writing: the client may resume
        finally:
            events.close()
            self._sessions.detach(id, line)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = PlainTextResponse(
            f"Offer the subprotocol {SUBPROTOCOL!r}. OpenEnv's own protocol is not served yet.",
            status_code=426,
            headers={"sec-websocket-protocol": SUBPROTOCOL},
        )
        await response(scope, receive, send)  # starlette knows how to refuse a handshake


class _Line:
    """One WebSocket, for the session that is attached to it."""

    def __init__(self, send: Send) -> None:
        self._send = send
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
