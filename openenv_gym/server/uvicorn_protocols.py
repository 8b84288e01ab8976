"""Uvicorn's protocols, with a shorter way for requests whose sessions need no thread of their own.

ASGI hands each message to the application's task: a queue, a switch of tasks, and reading from the
socket stopped and begun again. For a step of a few microseconds that is most of its time.
:class:`FrameProtocol` answers a WebSocket frame where it arrives, offered as an ASGI extension; on
a server without it the application gets all messages as usual. :class:`RequestProtocol` waits
awake for the next HTTP request of a client that steps.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.protocol import OPEN

from openenv_gym.server.events import ANSWER_FRAMES, Answer
from openenv_gym.wire.busy_wait import AwakeLoop
from openenv_gym.wire.websocket_frames import Cutter, head, unmasked


class FrameProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, with :data:`~openenv_gym.server.events.ANSWER_FRAMES`.

    The application sends one message for each that it receives: as long as one is owed, none is
    answered here, so replies keep the order of the requests.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answer: Answer | None = None
        self._owed = 0
        self._cutter = Cutter()
        self._awake = AwakeLoop(self.loop)

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
        for piece, start in self._cutter.cut(data):
            if not (start and self._answered(piece, start)):
                super().data_received(piece)

    def _answered(self, frame: bytes, start: int) -> bool:
        """Whether the message in the frame was answered here."""
        if self._answer is None or self._owed or self.conn.state is not OPEN:
            return False
        if not self.writable.is_set():
            return False  # the client does not read what it was sent
        reply = self._answer(unmasked(frame, start))
        if reply is None:
            return False
        self.transport.writelines((head(len(reply)), reply))
        self._awake.replied()
        return True

    def send_receive_event_to_app(self) -> None:
        """Implements WebSocketsSansIOProtocol.send_receive_event_to_app."""
        self._owed += 1
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """Implements WebSocketsSansIOProtocol.send."""
        await super().send(message)
        if message["type"] == "websocket.send":
            self._owed -= 1
            self._awake.replied()


class RequestProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, with an event loop that stays awake where that pays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awake = AwakeLoop(self.loop)

    def data_received(self, data: bytes) -> None:
        """Implements HttpToolsProtocol.data_received."""
        self._awake.arrived()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Implements HttpToolsProtocol.on_response_complete."""
        super().on_response_complete()
        self._awake.replied()
