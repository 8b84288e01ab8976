"""Answering a WebSocket frame where it arrives, for sessions that need no thread of their own.

ASGI hands each message to the application's task: a queue, a switch of tasks, and reading from the
socket stopped and begun again. For a step of a few microseconds that is most of its time.
:class:`FrameProtocol` is uvicorn's protocol with a way around it, offered as an ASGI extension; on
a server without it the application gets all messages as usual.
"""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request

from openenv_gym.server.events import ANSWER_FRAMES, Answer


class FrameProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket protocol, with :data:`~openenv_gym.server.events.ANSWER_FRAMES`.

    The application sends one message for each that it receives: as long as one is owed, none is
    answered here, so replies keep the order of the requests.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._answer: Answer | None = None
        self._owed = 0

    def handle_connect(self, event: Request) -> None:
        """Implements WebSocketsSansIOProtocol.handle_connect."""
        super().handle_connect(event)
        if not self.close_sent:
            extensions: dict[str, Any] = self.scope.setdefault("extensions", {})
            extensions[ANSWER_FRAMES] = self._take

    def _take(self, answer: Answer) -> None:
        self._answer = answer

    def handle_bytes(self, event: Frame) -> None:
        """Implements WebSocketsSansIOProtocol.handle_bytes."""
        if self._answer is not None and event.fin and not self._owed and self.writable.is_set():
            reply = self._answer(event.data)
            if reply is not None:
                self.conn.send_binary(reply)
                self.transport.writelines(self.conn.data_to_send())
                return
        super().handle_bytes(event)

    def send_receive_event_to_app(self) -> None:
        """Implements WebSocketsSansIOProtocol.send_receive_event_to_app."""
        self._owed += 1
        super().send_receive_event_to_app()

    async def send(self, message: Any) -> None:
        """Implements WebSocketsSansIOProtocol.send."""
        await super().send(message)
        if message["type"] == "websocket.send":
            self._owed -= 1
