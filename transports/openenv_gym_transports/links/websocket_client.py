"""A WebSocket client on a blocking socket: websockets' sans-I/O protocol, and no thread.

The ready-made synchronous client hands every frame from a thread that reads to the caller's, which
takes twice as long. Here the caller reads. Pings are answered whenever it does.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections import deque
from collections.abc import Mapping
from time import monotonic

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidState
from websockets.frames import Frame, Opcode
from websockets.protocol import CONNECTING, OPEN
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI, parse_uri

from openenv_gym.wire.busy_wait import AwakeSocket
from openenv_gym.wire.names import CLIENT_ADDRESS, SERVER_ENDED
from openenv_gym.wire.receive_buffer import Reader
from openenv_gym.wire.stream import limit_waits, readable
from openenv_gym.wire.websocket_frames import Frames, masked
from openenv_gym_transports.links.proxies import connect_through, proxy_of
from openenv_gym_transports.links.server import ServerEndedError
from openenv_gym_transports.links.sockets import address_of, connect_socket, prepared

MAX_FRAGMENTED = 1 << 26
"""Bytes of a message that comes in fragments, which a server of ours does not send."""

_READ = 1 << 16
_SWITCHING, _END_OF_HEAD = b"HTTP/1.1 101", b"\r\n\r\n"
_DATA = (Opcode.BINARY, Opcode.TEXT)
_NORMAL_CLOSURE = 1000
_GOODBYE_LIMIT = 0.1


class WebSocket:
    """One WebSocket connection; one thread at a time may use it.

    Args:
        url: ``ws://`` or ``wss://``.
        subprotocol: What is offered; None for nothing.
        headers: Further headers of the handshake.
        limit: Seconds for connecting and for the handshake.
        context: What TLS connections are made with; by default what this system trusts.
        proxies: Whether to use the proxy that environment variables name.

    Raises:
        OSError: Nothing answers there, or not within the limit (TimeoutError).
        InvalidHandshake: What answers refuses (of websockets.exceptions).
    """

    def __init__(
        self,
        url: str,
        *,
        subprotocol: str | None,
        headers: Mapping[str, str],
        limit: float,
        context: ssl.SSLContext | None = None,
        proxies: bool = False,
    ) -> None:
        uri = parse_uri(url)
        offered = None if subprotocol is None else [Subprotocol(subprotocol)]
        self._protocol = ClientProtocol(uri, subprotocols=offered, max_size=MAX_FRAGMENTED)
        self._messages: deque[bytes | bytearray | memoryview] = deque()
        self._fragments: list[bytes | bytearray | memoryview] = []
        started = monotonic()
        proxy = proxy_of(url) if proxies else None
        self._socket = _connected(uri, limit, context, proxy)
        self._direct = proxy is None
        self._limit: float | None = None
        try:
            self._shake_hands(headers, started + limit)
        except BaseException:
            self._socket.close()
            raise

    @property
    def subprotocol(self) -> str | None:
        """What the server selected."""
        return self._protocol.subprotocol

    def _shake_hands(self, headers: Mapping[str, str], deadline: float) -> None:
        request = self._protocol.connect()
        request.headers.update(headers)
        if self._direct:
            request.headers[CLIENT_ADDRESS] = address_of(self._socket)
        self._protocol.send_request(request)
        self._set_limit(deadline - monotonic())
        self._flush()
        answer = begun = b""
        while self._protocol.state is CONNECTING and self._protocol.handshake_exc is None:
            data = self._recv()
            answer += data
            end = answer.find(_END_OF_HEAD) + len(_END_OF_HEAD)
            if end >= len(_END_OF_HEAD) and answer.startswith(_SWITCHING):
                # What is behind the handshake are frames.
                begun = answer[end:]
                data = data[: len(data) - len(begun)]
            self._feed(data)
            self._set_limit(deadline - monotonic())
        self._frames = Frames(begun)
        tls = isinstance(self._socket, ssl.SSLSocket)
        self._reader: Reader = _TlsReader(self._socket) if tls else AwakeSocket(self._socket)
        if self._protocol.handshake_exc is not None:
            if isinstance(self._protocol.handshake_exc.__cause__, EOFError):
                raise ConnectionResetError("it hung up during the handshake")
            raise self._protocol.handshake_exc

    def stay_awake(self, seconds: float) -> None:
        """Waits awake for so long for a message, where that pays; TLS always sleeps."""
        if isinstance(self._reader, AwakeSocket):
            self._reader.habit.limit = seconds

    def send(self, data: bytes, *, text: bool = False) -> None:
        """Sends a message.

        Args:
            data: The message.
            text: It is text, in UTF-8; else it is binary.

        Raises:
            OSError: The connection is gone, or takes nothing within the limit.
        """
        if self._protocol.state is not OPEN:
            raise self._gone()
        if text:
            self._protocol.send_text(data)
            self._flush()
        else:
            self._socket.sendall(masked(data))

    def ready(self, timeout: float) -> bool:
        """Whether there is something to receive; waits for it as long as that."""
        if self._messages or (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
            return True
        return readable([self._socket.fileno()], timeout)

    def fileno(self) -> int:
        """Of the socket."""
        return self._socket.fileno()

    def receive(self, timeout: float | None) -> bytes | bytearray | memoryview:
        """Receives a message, binary or text.

        Args:
            timeout: Seconds that it may take; None waits for ever.

        Raises:
            TimeoutError: It did not come in time.
            OSError: The connection is gone.
        """
        if self._limit != timeout:
            self._set_limit(timeout)
        started = monotonic()
        while not self._messages:
            self._read()
            if timeout is not None and not self._messages:
                # Pings, or the first part of a large message: the time runs on.
                self._set_limit(timeout - (monotonic() - started), slack=0.9)
        return self._messages.popleft()

    def _set_limit(self, seconds: float | None, slack: float = 1.0) -> None:
        """Limits the next waits; what is shorter by less than the slack is left as it is."""
        if seconds is not None:
            if seconds <= 0:
                raise TimeoutError("timed out")
            if self._limit is not None and slack * self._limit < seconds < self._limit:
                return
        _limit_waits(self._socket, seconds)
        self._limit = seconds

    def _read(self) -> None:
        """Takes the frames that are there, or waits for bytes."""
        frames = self._frames
        frame: tuple[bool, bytearray | memoryview] | None
        try:
            frame = frames.next()
            if frame is None:
                frames.receive(self._reader)
                frame = frames.next()
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error
        except EOFError:
            frame = False, bytearray()
        except OverflowError as error:
            raise ConnectionResetError(str(error)) from error
        if frame is None:
            return
        whole, data = frame
        if whole and not self._fragments and self._protocol.state is OPEN:
            self._messages.append(data)
            return
        self._feed(bytearray(data) if isinstance(data, memoryview) else data)
        if self._protocol.state not in (OPEN, CONNECTING) and not self._messages:
            raise self._gone()

    def _recv(self) -> bytes:
        try:
            return self._socket.recv(_READ)
        except BlockingIOError as error:
            raise TimeoutError("timed out") from error

    def _feed(self, data: bytes | bytearray) -> None:
        """Gives the protocol what came, and sends what it has to say to that."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
        try:
            self._flush()
        except OSError:
            if self._protocol.close_rcvd is None:  # else that says why
                raise

    def _take(self, frame: Frame) -> None:
        if frame.opcode in _DATA and frame.fin:
            self._messages.append(frame.data)
        elif frame.opcode in (*_DATA, Opcode.CONT):
            self._fragments.append(frame.data)
            if frame.fin:
                self._messages.append(b"".join(self._fragments))
                self._fragments.clear()

    def _flush(self) -> None:
        """Sends what the protocol has to say."""
        for data in self._protocol.data_to_send():
            if data:
                self._socket.sendall(data)
            else:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_WR)

    def _gone(self) -> ConnectionError:
        closed = self._protocol.close_rcvd
        if closed is None:
            return ConnectionResetError("it hung up")
        kind = ServerEndedError if closed.code == SERVER_ENDED else ConnectionResetError
        return kind(f"closed with {closed.code} {closed.reason}".rstrip())

    def close(self) -> None:
        """Says good-bye, and does not wait for the answer."""
        # The server may be gone, or read no more.
        with contextlib.suppress(OSError, InvalidState):
            _limit_waits(self._socket, _GOODBYE_LIMIT)
            self._protocol.send_close(_NORMAL_CLOSURE)
            self._flush()
        self._socket.close()


class _TlsReader:
    """Receives by way of OpenSSL, whose bytes are not to be seen on the socket."""

    def __init__(self, sock: socket.socket) -> None:
        self.recv_into = self.rest_into = sock.recv_into


def _connected(
    uri: WebSocketURI, limit: float, context: ssl.SSLContext | None, proxy: str | None
) -> socket.socket:
    if (uri.secure or proxy is not None) and context is None:
        context = ssl.create_default_context()
    tls = context if uri.secure else None
    if proxy is None:
        return connect_socket(uri.host, uri.port, tls, limit)
    assert context is not None
    deadline = monotonic() + limit
    return prepared(connect_through(proxy, uri, context, limit), uri.host, tls, deadline)


def _limit_waits(sock: socket.socket, seconds: float | None) -> None:
    if isinstance(sock, ssl.SSLSocket):
        sock.settimeout(seconds)  # in the kernel it would not end the wait: OpenSSL begins anew
    else:
        limit_waits(sock, seconds)
