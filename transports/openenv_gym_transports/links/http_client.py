"""POST requests over one connection, each of them alike but for its body.

The standard library connects, writes the head of the requests, and reads whatever is no plain
reply. Which is seldom: to write the same head again, and to read that of a reply with its parser of
mail, took a third of a step.
"""

from __future__ import annotations

import io
import socket
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple, cast

from openenv_gym.wire.busy_wait import AwakeSocket
from openenv_gym.wire.stream import readable

_READ = 1 << 16
_PLAIN, _END_OF_HEAD = b"HTTP/1.1 200 ", b"\r\n\r\n"
_NO_BODY = b"Content-Length: 0\r\n"


class Answer(NamedTuple):
    """A reply.

    Attributes:
        status: Of HTTP.
        kind: Its content type, if it has one.
        body: What it brings.
    """

    status: int
    kind: str | None
    body: bytes | bytearray


class Poster:
    """Posts to one address over one connection, which is kept.

    Args:
        connection: Connected; it is the poster's from now on.
        target: The path; or the whole address, for a proxy.
        kind: Content type of what is posted, and of the replies to it.
        headers: Further headers of each request.

    Attributes:
        usable: The connection can take another request.
        begun: Some of the reply is there already.
    """

    def __init__(
        self, connection: HTTPConnection, target: str, kind: str, headers: Mapping[str, str]
    ) -> None:
        self._connection = connection
        self._socket: socket.socket = connection.sock
        self._kind = kind
        self._head = _head(connection, target, {**headers, "Content-Type": kind, "Accept": kind})
        self._reader = AwakeSocket(self._socket)
        self._buffer = memoryview(bytearray(_READ))
        self._timeout = self._socket.gettimeout()
        self.usable = True
        self.begun = False

    def stay_awake(self, seconds: float) -> None:
        """Waits awake for so long for a reply, where that pays."""
        self._reader.habit.limit = seconds

    def send(self, body: bytes, /) -> None:
        """Sends one request; its reply is fetched by :meth:`receive`.

        Raises:
            OSError: The connection is gone, or takes nothing within the limit.
        """
        self.begun = False
        self._socket.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def receive(self, timeout: float | None) -> Answer:
        """Receives the reply.

        Args:
            timeout: Seconds for each wait; None waits for ever.

        Raises:
            TimeoutError: It took longer.
            OSError: The connection broke.
        """
        if timeout != self._timeout:
            self._socket.settimeout(timeout)
            self._timeout = timeout
        got = self._reader.recv_into(self._buffer)
        self.begun = True
        begun = bytes(self._buffer[:got])
        return self._plain(begun) or self._other(begun)

    def ready(self, timeout: float) -> bool:
        """Whether there is something to receive; waits for it as long as that."""
        return readable([self._socket.fileno()], timeout)

    def fileno(self) -> int:
        """Of the socket."""
        return self._socket.fileno()

    def _plain(self, begun: bytes) -> Answer | None:
        """The reply that begins so, if these bytes are all of it."""
        end = begun.find(_END_OF_HEAD)
        if end < 0 or not begun.startswith(_PLAIN):
            return None
        headers = {}
        for line in begun[:end].split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            headers[name.lower()] = value.strip()
        length = headers.get(b"content-length", b"")
        if not length.isdigit() or b"transfer-encoding" in headers or b"connection" in headers:
            return None
        first = begun[end + len(_END_OF_HEAD) :]
        body = first if len(first) == int(length) else self._filled(first, int(length))
        kind = headers.get(b"content-type")
        return Answer(200, None if kind is None else kind.decode("latin-1"), body)

    def _filled(self, begun: bytes, size: int) -> bytearray:
        """A body of that size that begins so."""
        if len(begun) > size:
            raise ConnectionResetError(f"a reply of {len(begun)} bytes, where {size} were due")
        body = bytearray(size)
        body[: len(begun)] = begun
        left = memoryview(body)[len(begun) :]
        while left:
            got = self._socket.recv_into(left)
            if not got:
                raise ConnectionResetError("it hung up in the midst of a reply")
            left = left[got:]
        return body

    def _other(self, begun: bytes) -> Answer:
        """Any reply that begins so, by the standard library."""
        try:
            response = HTTPResponse(cast(socket.socket, _Begun(begun, self._socket)), method="POST")
            response.begin()
            kind = response.headers.get("content-type")
            unbounded = response.length is None and not response.chunked
            if unbounded and kind in (None, self._kind):
                raise ConnectionResetError("it hung up in the midst of the headers")
            body = response.read()
        except HTTPException as error:
            raise ConnectionResetError(str(error) or type(error).__name__) from error
        self.usable = not response.will_close
        return Answer(response.status, kind, body)

    def close(self) -> None:
        """Hangs up."""
        self._connection.close()


class _Recorder:
    """In place of a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.sent = b""

    def sendall(self, data: bytes) -> None:
        self.sent += data


def _head(connection: Any, target: str, headers: Mapping[str, str]) -> bytes:
    """The head of a request, up to the length of its body."""
    sock, recorder = connection.sock, _Recorder()
    connection.sock = recorder
    try:
        connection.request("POST", target, body=b"", headers=headers)
    finally:
        connection.sock = sock
    return recorder.sent.replace(_NO_BODY, b"", 1).removesuffix(b"\r\n") + b"Content-Length: "


class _Begun(io.RawIOBase):
    """What a socket receives, after what was received already."""

    def __init__(self, begun: bytes, sock: socket.socket) -> None:
        self._begun = begun
        self._socket = sock

    def makefile(self, mode: str) -> io.BufferedReader:
        """As that of a socket."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._begun:
            return self._socket.recv_into(buffer)
        size = min(len(buffer), len(self._begun))
        buffer[:size] = self._begun[:size]
        self._begun = self._begun[size:]
        return size
