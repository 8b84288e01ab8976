"""Uvicorn's protocols, with a shorter way for requests whose sessions need no thread of their own.

ASGI hands each message to the application's task: a queue, a switch of tasks, and reading from the
socket stopped and begun again. For a step of a few microseconds that is most of its time.
:class:`FrameProtocol` answers a WebSocket frame where it arrives, or passes it on to a worker. It
offers that as an ASGI extension; on a server without it the application gets all messages as usual.
:class:`RequestProtocol` waits awake for the next HTTP request of a client that steps.

Both bound what uvicorn's own do not, and let a reply that is due go out before the server ends.
Uvicorn's modules are private: :func:`unexpected` says what of them is not as this module needs it.
"""

from __future__ import annotations

import asyncio
import inspect
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState
from websockets.frames import CloseCode
from websockets.http11 import Request
from websockets.protocol import OPEN

from openenv_gym.server.connections import KEY, STRANGER_BYTES
from openenv_gym.server.events import ANSWER_FRAMES, Answer
from openenv_gym.server.http import goodbye
from openenv_gym.wire.busy_wait import AwakeLoop
from openenv_gym.wire.names import SERVER_ENDED
from openenv_gym.wire.websocket_frames import Cutter, head, unmasked

_MAX_HEAD = 1 << 16  # bytes of a request before its body, or between its parts
_MAX_PIPELINED = 8  # requests that wait for the replies to those before
_MAX_FRAMES = 2048  # of one chunk of bytes
_PATIENCE = 0.8  # of the time that uvicorn gives running requests when it ends

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n\r\n"


class FrameProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, with :data:`~openenv_gym.server.events.ANSWER_FRAMES`.

    The application sends one message for each that it receives: as long as one is owed, none is
    answered here, so replies keep the order of the requests.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answer: Answer | None = None
        self._owed = 0
        self._ending: asyncio.TimerHandle | None = None
        self._cutter = Cutter()
        self._awake = AwakeLoop(self.loop)
        self._stranger = self.app_state.get(KEY)
        self._taken = 0  # bytes of the stranger

    def handle_connect(self, event: Request) -> None:
        """Implements WebSocketsSansIOProtocol.handle_connect."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
            extensions[ANSWER_FRAMES] = self._take

    def _take(self, answer: Answer) -> None:
        self._answer = answer

    def data_received(self, data: bytes) -> None:
        """Implements WebSocketsSansIOProtocol.data_received."""
        self._awake.arrived()
        if not self.handshake_initiated:
            super().data_received(data)
            return
        pieces = self._cutter.cut(data)
        if len(pieces) > _MAX_FRAMES:
            self._refuse(CloseCode.POLICY_VIOLATION, "wait for the replies")
            return
        for piece, start in pieces:
            if not (start and self._answered(piece, start)):
                if self._stranger is not None and not self._has_room(len(piece)):
                    return
                super().data_received(piece)

    def _has_room(self, size: int) -> bool:
        """Whether a client without a session may send so many bytes more."""
        assert self._stranger is not None
        if self._stranger.known:
            self._stranger = None
            return True
        self._taken += size
        if self._taken <= STRANGER_BYTES:
            return True
        self._refuse(CloseCode.MESSAGE_TOO_BIG, "too much for a first message")
        return False

    def _refuse(self, code: int, reason: str) -> None:
        """Close the WebSocket, and notify the application."""
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def _answered(self, frame: bytes, start: int) -> bool:
        """Whether the message in the frame was answered here."""
        if self._answer is None or self._owed or self.conn.state is not OPEN:
            return False
        if not self.writable.is_set():
            return False  # the client does not read what it was sent
        self._owed = 1
        if self._answer(unmasked(frame, start), self._deliver):
            return True
        self._owed = 0
        return False

    def _deliver(self, reply: bytes) -> None:
        """Send the reply to a message that was answered here."""
        if self.conn.state is OPEN and not self.transport.is_closing():
            self.transport.writelines((head(len(reply)), reply))
        self._replied()

    def _replied(self) -> None:
        self._owed -= 1
        self._awake.replied()
        if self._ending is not None and self._owed <= 0:
            self._end()

    def send_receive_event_to_app(self) -> None:
        """Implements WebSocketsSansIOProtocol.send_receive_event_to_app."""
        self._owed += 1
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """Implements WebSocketsSansIOProtocol.send."""
        await super().send(message)
        if message["type"] == "websocket.send":
            self._replied()

    def pause_writing(self) -> None:
        """Implements WebSocketsSansIOProtocol.pause_writing: pings are not read either."""
        super().pause_writing()
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Implements WebSocketsSansIOProtocol.resume_writing."""
        super().resume_writing()
        if not self.read_paused:
            self.transport.resume_reading()

    def shutdown(self) -> None:
        """Implements WebSocketsSansIOProtocol.shutdown: after the reply that is due."""
        if self._owed <= 0 or not self.handshake_complete or self.close_sent:
            self._end()
            return
        limit = _PATIENCE * (self.config.timeout_graceful_shutdown or 0)
        self._ending = self.loop.call_later(limit, self._end)

    def _end(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._answer is None:
            super().shutdown()
        else:  # the client speaks our protocol
            self._refuse(SERVER_ENDED, "the server has ended")


class RequestProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, with an event loop that stays awake where that pays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awake = AwakeLoop(self.loop)
        self._head = 0  # bytes since the last that were of use

    def data_received(self, data: bytes) -> None:
        """Implements HttpToolsProtocol.data_received."""
        self._awake.arrived()
        self._head += len(data)
        super().data_received(data)
        if self._head > _MAX_HEAD and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_headers_complete(self) -> None:
        """Implements HttpToolsProtocol.on_headers_complete."""
        self._head = 0
        if len(self.pipeline) >= _MAX_PIPELINED:
            raise ValueError("too many requests at once")  # which closes the connection
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Implements HttpToolsProtocol.on_body."""
        self._head = 0
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Implements HttpToolsProtocol.on_response_complete."""
        super().on_response_complete()
        self._awake.replied()

    def shutdown(self) -> None:
        """Implements HttpToolsProtocol.shutdown: a client that waits for nothing learns of it."""
        connection = self.app_state.get(KEY)
        idle = self.cycle is not None and self.cycle.response_complete
        if idle and connection is not None and connection.session is not None:
            self.transport.write(goodbye())
        super().shutdown()


# What is overridden or called above, with its parameters; and what is read of instances.
_METHODS: dict[type, dict[str, tuple[str, ...]]] = {
    WebSocketsSansIOProtocol: {
        "__init__": ("config", "server_state", "app_state", "_loop"),
        "handle_connect": ("event",),
        "data_received": ("data",),
        "send_receive_event_to_app": (),
        "send": ("message",),
        "pause_writing": (),
        "resume_writing": (),
        "shutdown": (),
    },
    HttpToolsProtocol: {
        "__init__": ("config", "server_state", "app_state", "_loop"),
        "data_received": ("data",),
        "on_headers_complete": (),
        "on_body": ("body",),
        "on_response_complete": (),
        "shutdown": (),
    },
}
_ATTRIBUTES: dict[type, tuple[str, ...]] = {
    FrameProtocol: (
        *("app_state", "close_sent", "config", "conn", "handshake_complete"),
        *("handshake_initiated", "loop", "read_paused", "transport", "writable"),
    ),
    RequestProtocol: ("app_state", "cycle", "loop", "pipeline", "transport"),
}


def unexpected() -> str | None:
    """Return what of uvicorn is not as this module needs it; None if all is."""
    for base, methods in _METHODS.items():
        for name, parameters in methods.items():
            method = getattr(base, name, None)
            found = tuple(inspect.signature(method).parameters)[1:] if method else None
            if found != parameters:
                return f"{base.__name__}.{name} takes {found}, not {parameters}"
    loop = asyncio.new_event_loop()
    try:
        config = uvicorn.Config(_nothing, lifespan="off", log_config=None)
        config.load()
        for protocol, names in _ATTRIBUTES.items():
            made = protocol(config=config, server_state=ServerState(), app_state={}, _loop=loop)
            for name in names:
                if not hasattr(made, name):
                    return f"{protocol.__name__} has no {name}"
    except Exception as error:  # of a version that nobody has seen
        return f"{type(error).__name__}: {error}"
    finally:
        loop.close()
    return None


async def _nothing(scope: Any, receive: Any, send: Any) -> None:
    """An application for :func:`unexpected`."""
