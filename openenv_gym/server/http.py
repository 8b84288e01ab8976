"""The HTTP face: ``POST /exchange``, one message in, one message out.

Each message says itself what it is, so one route is enough. The session's id travels in the header
``X-Session-ID``; the client proposes it with Open, or leaves it to the server.
"""

from __future__ import annotations

import asyncio

from starlette.responses import JSONResponse, Response

from openenv_gym.errors import ServerClosingError
from openenv_gym.server.doorkeeper import connection_of
from openenv_gym.server.events import App, Events, Receive, Scope, Send
from openenv_gym.server.exchange import refusal as refusal_of
from openenv_gym.server.sessions import HEADER_BYTES, Sessions, new_id
from openenv_gym.wire.names import CONTENT_TYPE, EXCHANGE_PATH, MAX_REQUEST


class Shortcut:
    """ASGI middleware that hands the requests of the one route on, past all that others need.

    Args:
        app: Gets all others.
        face: Gets those.
    """

    def __init__(self, app: App, face: App) -> None:
        self._app = app
        self._face = face

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets one of the two answer."""
        # Where the application is mounted below a path, its router knows better.
        ours = (
            scope["type"] == "http" and scope["path"] == EXCHANGE_PATH and scope["method"] == "POST"
        )
        await (self._face if ours else self._app)(scope, receive, send)


class HttpFace:
    """An ASGI application for the one route.

    Args:
        sessions: Those that it serves.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        headers = dict(scope["headers"])
        refusal = _unsupported(headers) or too_large(headers)
        if refusal is None:
            data = await body_of(receive)
            if data is None:
                return  # the client hung up in the midst of it
            if len(data) <= MAX_REQUEST:
                await self._reply(scope, headers, data, receive, send)
                return
            refusal = too_large({b"content-length": b"%d" % len(data)})
        assert refusal is not None, "it is too large"
        await refusal(scope, receive, send)

    async def _reply(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        data: bytes,
        receive: Receive,
        send: Send,
    ) -> None:
        id = headers.get(HEADER_BYTES, b"").decode("latin-1") or new_id()
        line = connection_of(scope)
        if line is not None:
            line = line.carry(id)
        reply = self._sessions.submit(id, data, line)
        if not isinstance(reply, bytes):
            events = Events(receive)
            try:
                if not await events.outlast(reply):
                    self._sessions.detach(id, line)
                    return
            except asyncio.CancelledError:  # the server ends, and has waited for long enough
                await _send_reply(send, id, _ended())
                raise
            finally:
                events.close()
            reply = reply.result()
        await _send_reply(send, id, reply)


async def _send_reply(send: Send, id: str, reply: bytes) -> None:
    headers = [
        (b"content-length", b"%d" % len(reply)),
        (b"content-type", CONTENT_TYPE.encode()),
        (HEADER_BYTES, id.encode("latin-1")),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


def _ended() -> bytes:
    error = "The server has ended, and the session with it: make a new environment."
    return refusal_of(ServerClosingError(error), 0)


def goodbye() -> bytes:
    """Return what a client reads instead of a reply, when the server ends between two requests."""
    body = _ended()
    head = (
        f"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-type: {CONTENT_TYPE}\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def body_of(receive: Receive) -> bytes | None:
    """Return the body, or as much of it as is needed to see that it is too large."""
    event = await receive()
    if not event.get("more_body"):
        return None if event["type"] == "http.disconnect" else event.get("body", b"")
    data = bytearray(event["body"])
    while event.get("more_body") and len(data) <= MAX_REQUEST:
        event = await receive()
        data += event.get("body", b"")
    return None if event["type"] == "http.disconnect" else bytes(data)


def _unsupported(headers: dict[bytes, bytes]) -> Response | None:
    given = headers.get(b"content-type", b"").decode("latin-1")
    if given.partition(";")[0].strip().lower() == CONTENT_TYPE:
        return None
    detail = (
        f"POST {EXCHANGE_PATH} takes openenv-gym's own messages, with the content type "
        f"{CONTENT_TYPE}, not {given or 'none'}. Use the client: gymnasium.make(..., "
        "transport='http', url=...)."
    )
    return JSONResponse({"detail": detail}, 415, {"accept-post": CONTENT_TYPE})


def too_large(headers: dict[bytes, bytes]) -> Response | None:
    """The refusal of a request that says that it is too large; None if it does not."""
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length) <= MAX_REQUEST:
        return None
    detail = f"A request may have {MAX_REQUEST} bytes, not {int(length)}."
    # The rest of it is not read, so the connection is of no more use.
    return JSONResponse({"detail": detail}, 413, {"connection": "close"})
