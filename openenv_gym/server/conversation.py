"""A conversation: requests to a session behind a link, and its replies, on the event loop.

Where the link has a socket (a process, a container), no thread is needed: the loop writes a request
and is woken by its reply. Any other link gets a thread of its own, which waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from openenv_gym.errors import OpenEnvGymError, ProtocolError, SessionLostError
from openenv_gym.server.attached import CallThread
from openenv_gym.server.exchange import refusal
from openenv_gym.transport import Link
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Reply, Request
from openenv_gym.wire.stream import FrameBuffer, frame_head

OnReply = Callable[[bytes | None], None]
"""Takes the bytes of a reply; None: there will be no more."""


class Conversation(ABC):
    """One request at a time, and its reply.

    Args:
        on_reply: Called with each reply, and with None once when the other end is gone.
    """

    def __init__(self, on_reply: OnReply) -> None:
        self._on_reply = on_reply

    @abstractmethod
    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Send a request, once the one before was replied to."""

    @abstractmethod
    def end(self) -> None:
        """Hang up; there are no replies any more. A second call does nothing."""


class SocketConversation(asyncio.Protocol, Conversation):
    """Over the socket of a link, as messages of a :class:`~openenv_gym.wire.stream.Stream`."""

    def __init__(self, on_reply: OnReply) -> None:
        super().__init__(on_reply)
        self._transport: asyncio.WriteTransport | None = None
        self._buffer = FrameBuffer()
        self._ended = False

    def connection_made(self, transport: Any) -> None:
        """Implements asyncio.Protocol.connection_made."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Implements asyncio.Protocol.data_received."""
        try:
            for message in self._buffer.feed(data):
                self._on_reply(message)
        except ProtocolError:
            self._lose()

    def connection_lost(self, exc: Exception | None) -> None:
        """Implements asyncio.Protocol.connection_lost."""
        self._lose()

    def _lose(self) -> None:
        if not self._ended:
            self.end()
            self._on_reply(None)

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Implements Conversation.send."""
        if self._transport is not None:
            self._transport.writelines((frame_head(len(data)), data))

    def end(self) -> None:
        """Implements Conversation.end."""
        self._ended = True
        if self._transport is not None:
            self._transport.abort()


class ThreadConversation(Conversation):
    """Over a link that has no socket, on a thread.

    Args:
        on_reply: As of Conversation.
        link: The link.
    """

    def __init__(self, on_reply: OnReply, link: Link) -> None:
        super().__init__(on_reply)
        self._link = link
        self._thread = CallThread()
        self._ended = False

    def send(self, data: bytes | bytearray | memoryview) -> None:
        """Implements Conversation.send."""
        future = self._thread.run(_exchange, self._link, data)
        future.add_done_callback(self._deliver)

    def _deliver(self, future: asyncio.Future[bytes | None]) -> None:
        if not self._ended and not future.cancelled():
            self._on_reply(future.result())

    def end(self) -> None:
        """Implements Conversation.end."""
        if not self._ended:
            self._ended = True
            self._thread.finish()


def _exchange(link: Link, data: bytes) -> bytes | None:
    request = decode(data)
    if not isinstance(request, Request):
        return None
    try:
        return _reply(link.exchange(request), request.id)
    except SessionLostError:
        return None
    except OpenEnvGymError as error:
        return refusal(error, request.id)


def _reply(reply: Reply, id: int) -> bytes:
    reply.id = id
    return encode(reply)


async def converse(link: Link, on_reply: OnReply) -> Conversation:
    """Begin the conversation with an open link."""
    sock = link.detach()
    if sock is None:
        return ThreadConversation(on_reply, link)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        _, conversation = await loop.create_connection(
            lambda: SocketConversation(on_reply), sock=sock
        )
    except BaseException:
        with contextlib.suppress(OSError):
            sock.close()
        raise
    return conversation
