"""A proxy for tests: HTTP, by requests or by CONNECT, and SOCKS5."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Way:
    """A proxy in threads of this process.

    Attributes:
        url: Its address, with ``http://``.
        seen: The first bytes of each connection, and of each request that is not encrypted.
        password: What it wants to see in ``Proxy-Authorization``; None for nothing.
    """

    def __init__(self) -> None:
        self.seen: list[bytes] = []
        self.password: bytes | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, EOFError):
            first = _some(client)
            if first[0] == 5:
                self.seen.append(first)
                self._socks(client)
                return
            while True:
                head, body = _request(client, first)
                self.seen.append(head)
                if self.password is not None and self.password not in head:
                    client.sendall(
                        b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
                    )
                elif head.startswith(b"CONNECT "):
                    host, _, port = head.split(b" ")[1].decode().partition(":")
                    server = self._connect(host, int(port))
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                    self._pump_both(client, server)
                    return
                else:
                    client.sendall(self._forwarded(head, body))
                first = _some(client)
        _shut(client)

    def _socks(self, client: socket.socket) -> None:
        client.sendall(b"\x05\x00")
        asked = _some(client)
        host = socket.inet_ntoa(asked[4:8])
        (port,) = struct.unpack("!H", asked[8:10])
        server = self._connect(host, port)
        client.sendall(b"\x05\x00\x00\x01" + bytes(6))
        self._pump_both(client, server)

    def _forwarded(self, head: bytes, body: bytes) -> bytes:
        line, _, rest = head.partition(b"\r\n")
        method, address, _ = line.split(b" ")
        parts = urlsplit(address.decode())
        with socket.create_connection((parts.hostname, parts.port)) as server:
            path = parts.path.encode()
            rest = rest.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)
            server.sendall(b"%b %b HTTP/1.1\r\n%b%b" % (method, path, rest, body))
            answer = b""
            while data := server.recv(1 << 16):
                answer += data
        return answer.replace(b"connection: close\r\n", b"", 1)

    def _connect(self, host: str, port: int) -> socket.socket:
        server = socket.create_connection((host, port))
        self._sockets.append(server)
        return server

    def _pump_both(self, client: socket.socket, server: socket.socket) -> None:
        self._start(_pump, server, client)
        _pump(client, server)

    def close(self) -> None:
        _shut(self._listener)
        for sock in self._sockets:
            _shut(sock)
        for thread in self._threads:
            thread.join(10.0)
        for sock in [self._listener, *self._sockets]:
            sock.close()


@contextmanager
def proxying() -> Iterator[Way]:
    """A proxy while the block runs."""
    way = Way()
    try:
        yield way
    finally:
        way.close()


def _some(sock: socket.socket) -> bytes:
    data = sock.recv(1 << 16)
    if not data:
        raise EOFError
    return data


def _request(sock: socket.socket, data: bytes) -> tuple[bytes, bytes]:
    """The head of a request, with the empty line, and its body."""
    while b"\r\n\r\n" not in data:
        data += _some(sock)
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    while len(body) < length:
        body += _some(sock)
    return head + b"\r\n\r\n", body


def _pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    _shut(source)
    _shut(target)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
