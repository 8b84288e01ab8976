"""POST requests over one connection, each of them alike but for its body.

The head of the requests is written once, and that of a plain reply is read here: to have a library
do both took a third of a step. Any other reply is read by h11. A reply that is torn anywhere is no
reply.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import h11

from openenv_gym.errors import OptionError, ProtocolError
from openenv_gym.wire.busy_wait import AwakeSocket
from openenv_gym.wire.names import MAX_MESSAGE
from openenv_gym.wire.stream import readable

MAX_CHUNKED = 1 << 26
"""Bytes of a reply that does not say how long it is; a server of ours says so."""

_READ = 1 << 16
_STEP = 1 << 20  # bytes by which the memory for a reply grows at least
_MAX_CONTINUES = 100  # replies that say that one will come
_PLAIN, _END_OF_HEAD = b"HTTP/1.1 200 ", b"\r\n\r\n"


class Answer(NamedTuple):
    """A reply.

    Attributes:
        status: The HTTP status.
        kind: The content type, if there is one.
        body: The body; of a reply that is not of the kind asked for, its first part.
    """

    status: int
    kind: str | None
    body: bytes | bytearray


class Poster:
    """Posts to one address over one connection, which is kept.

    Args:
        sock: A connection; it is the poster's from now on.
        url: The address.
        kind: Content type of what is posted, and of the replies to it.
        headers: Further headers of each request.

    Attributes:
        usable: The connection can take another request.
        begun: Some of the reply is there already.
    """

    def __init__(
        self, sock: socket.socket, url: str, kind: str, headers: Mapping[str, str]
    ) -> None:
        self._socket = sock
        self._kind = kind
        self._request = _make_request(url, {**headers, "Content-Type": kind, "Accept": kind})
        self._head = _head_of(self._request)
        self._reader = AwakeSocket(sock)
        self._buffer = memoryview(bytearray(_READ))
        self._timeout = sock.gettimeout()
        self._deadline: float | None = None
        self._last_head = b""  # of steps it is the same for a second at a time
        self._last_size: int | None = None
        self._last_kind: str | None = None
        self.usable = True
        self.begun = False

    def stay_awake(self, seconds: float) -> None:
        """Wait awake for so long for a reply, where that pays."""
        self._reader.habit.limit = seconds

    def send(self, body: bytes, /) -> None:
        """Send one request; its reply is fetched by :meth:`receive`.

        Raises:
            OSError: The connection is gone, or takes nothing within the limit.
        """
        self.begun = False
        self._socket.sendall(b"%b%d\r\n\r\n%b" % (self._head, len(body), body))

    def receive(self, timeout: float | None) -> Answer:
        """Receive the reply.

        Args:
            timeout: Seconds that all of it may take; None waits forever.

        Raises:
            TimeoutError: It took longer.
            OSError: The connection broke.
            ProtocolError: It is larger than any reply of ours.
        """
        if timeout != self._timeout:
            self._socket.settimeout(timeout)
            self._timeout = timeout
        self._deadline = None if timeout is None else monotonic() + timeout
        got = self._reader.recv_into(self._buffer)
        self.begun = True
        begun = bytes(self._buffer[:got])
        return self._plain(begun) or self._other(begun)

    def ready(self, timeout: float) -> bool:
        """Return whether there is something to receive; waits for it as long as that."""
        return readable([self._socket.fileno()], timeout)

    def fileno(self) -> int:
        """Return the socket's file descriptor."""
        return self._socket.fileno()

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _plain(self, begun: bytes) -> Answer | None:
        """Return the reply that begins so, if its head is whole and says how long it is."""
        end = begun.find(_END_OF_HEAD)
        if end < 0 or not begun.startswith(_PLAIN):
            return None
        head = begun[:end]
        if head != self._last_head:
            self._last_size, self._last_kind = _read_plain(head)
            self._last_head = head
        size = self._last_size
        if size is None:
            return None
        first = begun[end + len(_END_OF_HEAD) :]
        body = first if len(first) == size else self._filled(first, size)
        return Answer(200, self._last_kind, body)

    def _filled(self, begun: bytes, size: int) -> bytearray:
        """Return a body of that size that begins so; memory grows with what has come of it."""
        if len(begun) > size:
            raise ConnectionResetError(f"a reply of {len(begun)} bytes, where {size} were due")
        if size > MAX_MESSAGE:
            raise too_large(size, MAX_MESSAGE)
        body, filled = bytearray(begun), len(begun)
        while filled < size:
            if filled == len(body):
                body.extend(bytes(min(size - filled, max(3 * filled, _STEP))))
            with memoryview(body) as view, view[filled:] as left:
                got = self._receive_into(left)
            if not got:
                raise ConnectionResetError("it hung up in the midst of a reply")
            filled += got
        return body

    def _receive_into(self, buffer: memoryview) -> int:
        """Receive more of a reply, in the time that is left for it; 0 at its end."""
        if self._deadline is not None:
            left = self._deadline - monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._socket.settimeout(left)
            self._timeout = left
        return self._socket.recv_into(buffer)

    def _other(self, begun: bytes) -> Answer:
        """Return any reply that begins so."""
        if not begun:
            raise ConnectionResetError("it hung up without a reply")
        parser = h11.Connection(h11.CLIENT)
        parser.send(self._request)
        parser.send(h11.EndOfMessage())
        parser.receive_data(begun)
        try:
            return self._read_reply(parser)
        except h11.RemoteProtocolError as error:
            raise ConnectionResetError(str(error)) from error

    def _read_reply(self, parser: h11.Connection) -> Answer:
        response = self._read_head(parser)
        kind, body = _header(response, b"content-type"), bytearray()
        ours = kind == self._kind
        length = _header(response, b"content-length")
        largest = MAX_CHUNKED if length is None else MAX_MESSAGE
        if ours and length is not None and int(length) > MAX_MESSAGE:
            raise too_large(int(length), MAX_MESSAGE)
        if ours and length is None and _header(response, b"transfer-encoding") is None:
            raise ConnectionResetError("a reply without an end, which may be torn")
        while isinstance(event := self._next_event(parser), h11.Data):
            body += event.data
            if ours and len(body) > largest:
                raise too_large(len(body), largest)
            if not ours and len(body) > _STEP:  # as much as is of use
                self.usable = False
                return Answer(response.status_code, kind, body)
        self.usable = parser.their_state is h11.DONE and not parser.trailing_data[0]
        return Answer(response.status_code, kind, body)

    def _read_head(self, parser: h11.Connection) -> h11.Response:
        for _ in range(_MAX_CONTINUES):
            event = self._next_event(parser)
            if isinstance(event, h11.Response):
                return event
        self.usable = False
        raise ProtocolError(
            f"The server announced a reply {_MAX_CONTINUES} times, and did not send one."
        )

    def _next_event(self, parser: h11.Connection) -> Any:
        while (event := parser.next_event()) is h11.NEED_DATA:
            got = self._receive_into(self._buffer)
            parser.receive_data(bytes(self._buffer[:got]))
        return event


def too_large(size: int, largest: int) -> ProtocolError:
    """Return the error for a reply that is larger than any of ours."""
    return ProtocolError(
        f"A reply of {size} bytes or more came, of which {largest} are allowed. Is the other end "
        "an openenv-gym?",
        size=size,
        limit=largest,
    )


def _header(response: h11.Response, name: bytes) -> str | None:
    found: str | None = None
    for key, value in response.headers:
        if key == name:
            found = value.decode("latin-1")
    return found


def _make_request(url: str, headers: Mapping[str, str]) -> h11.Request:
    """Return a request without a body.

    Raises:
        OptionError: A header cannot be sent.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    try:
        return h11.Request(
            method="POST",
            target=parts.path or "/",
            headers=[("Host", host), *headers.items(), ("Content-Length", "0")],
        )
    except (h11.LocalProtocolError, UnicodeEncodeError) as error:
        raise OptionError(
            "A header of headers= cannot be sent: names are ASCII, and values are one line of "
            "Latin letters without spaces at the ends."
        ) from error


def _read_plain(head: bytes) -> tuple[int | None, str | None]:
    """Return the size and the kind of the body behind a head; no size if it is not a plain one."""
    headers = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        headers[name.lower()] = value.strip()
    length, kind = headers.get(b"content-length", b""), headers.get(b"content-type")
    plain = (
        length.isdigit() and b"transfer-encoding" not in headers and b"connection" not in headers
    )
    return int(length) if plain else None, None if kind is None else kind.decode("latin-1")


def _head_of(request: h11.Request) -> bytes:
    """Return the head of a request, up to the length of its body."""
    head = h11.Connection(h11.CLIENT).send(request)
    assert head is not None
    return head.removesuffix(b"0" + _END_OF_HEAD)
