"""A conversation: requests to a session behind a link, and its replies, on the event loop.

Where the link has a socket (a process, a container), no thread is needed: the loop writes a request
and is woken by its reply. Any other link gets a thread of its own, which waits for it.
"""

from __future__ import annotations

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable

from openenv_gym.errors import OpenEnvGymError, ProtocolError, SessionLostError
from openenv_gym.server.attached import CallThread
from openenv_gym.server.exchange import refusal
from openenv_gym.transport import Link
from openenv_gym.wire.busy_wait import AwakeSocket
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Reply, Request
from openenv_gym.wire.stream import FrameBuffer, frame_head

_CHUNK = 1 << 16  # bytes that are received at a time

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
    def send(self, data: bytes | bytearray | memoryview, *, awake: bool = False) -> None:
        """Send a request, once the one before was replied to.

        Args:
            data: The request.
            awake: The event loop has nothing else to do but to wait for the reply, which may be
                taken before this returns.
        """

    @abstractmethod
    def end(self) -> None:
        """Hang up; there are no replies any more. A second call does nothing."""


class SocketConversation(Conversation):
    """Over the socket of a link, as messages of a :class:`~openenv_gym.wire.stream.Stream`.

    Args:
        on_reply: As of Conversation.
        sock: The socket, which the conversation owns from now on.
    """

    def __init__(self, on_reply: OnReply, sock: socket.socket) -> None:
        super().__init__(on_reply)
        sock.setblocking(False)
        self._socket = sock
        self._loop = asyncio.get_running_loop()
        self._buffer = FrameBuffer()
        self._unsent = b""
        self._ended = False
        self._awake = AwakeSocket(sock)
        self._loop.add_reader(sock, self._read)

    def _read(self) -> None:
        """Take what arrived."""
        try:
            while not self._ended:
                data = self._socket.recv(_CHUNK)
                if not data:
                    self._lose()
                for message in self._buffer.feed(data):
                    self._on_reply(message)
                if len(data) < _CHUNK:
                    return
        except (BlockingIOError, InterruptedError):
            return  # it was read before
        except (OSError, ProtocolError):
            self._lose()

    def _lose(self) -> None:
        if not self._ended:
            self.end()
            self._on_reply(None)

    def send(self, data: bytes | bytearray | memoryview, *, awake: bool = False) -> None:
        """Implements Conversation.send."""
        if self._ended:
            return
        self._write(b"".join((self._unsent, frame_head(len(data)), data)))
        if awake and self._awake.wait():
            self._read()

    def _write(self, data: bytes) -> None:
        """Send what the socket takes now; the rest follows when it takes more."""
        try:
            sent = self._socket.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            return  # the other end is gone, which reading finds out
        if self._unsent and sent == len(data):
            self._loop.remove_writer(self._socket)
        elif sent < len(data) and not self._unsent:
            self._loop.add_writer(self._socket, lambda: self._write(self._unsent))
        self._unsent = data[sent:]

    def end(self) -> None:
        """Implements Conversation.end."""
        if not self._ended:
            self._ended = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()


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

    def send(self, data: bytes | bytearray | memoryview, *, awake: bool = False) -> None:
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


def converse(link: Link, on_reply: OnReply) -> Conversation:
    """Begin the conversation with an open link."""
    sock = link.detach()
    if sock is None:
        return ThreadConversation(on_reply, link)
    return SocketConversation(on_reply, sock)
