"""A TCP proxy between client and server that does what networks do: cut, stall, repeat."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

BEFORE, TORN, AFTER, MID = "before", "torn", "after", "mid"
STALL, MUTE, DOUBLE, LATE = "stall", "mute", "double", "late"

CUTS = (BEFORE, TORN, AFTER, MID)
"""Faults that end the connection at once."""

DELIVERIES = (STALL, DOUBLE, LATE)
"""Faults in the way that a request is delivered."""


class Proxy:
    """A TCP proxy with one fault at a time.

    Attributes:
        fault: What befalls the next request:

            - ``"before"``: the connection is cut before it arrives;
            - ``"torn"``: when a part of it has arrived (``at``);
            - ``"after"``: when it was carried out, before its reply;
            - ``"mid"``: within its reply (``at``);
            - ``"stall"``: it arrives after a ``pause``, and so does its reply;
            - ``"mute"``: the server is gone, and the connection half open: nothing shows that;
            - ``"double"``: it arrives twice;
            - ``"late"``: the client is cut off, and it arrives after a ``pause``, perhaps after
              what the client sent since over another connection.
        at: Which part of a message passes before a cut within it: 0 nothing, 1 all.
        pause: Seconds.
        spared: How many requests the fault lets pass.
        upstream: Port that it leads to.
        accepted: How many connections there were.
    """

    def __init__(self, port: int) -> None:
        self.fault: str | None = None
        self.at = 0.5
        self.pause = 0.05
        self.spared = 0
        self.accepted = 0
        self.upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                try:
                    server = self.connect()
                except ConnectionRefusedError:
                    client.close()
                    continue
                _Pair(self, client, server)

    def connect(self) -> socket.socket:
        """Return a connection to the server."""
        return socket.create_connection(("127.0.0.1", self.upstream))

    def run(self, pair: _Pair) -> None:
        """Carry the bytes of two connections, in threads, until both have ended."""
        self._sockets |= {pair.client, pair.server}
        both = [threading.Thread(target=pair.requests), threading.Thread(target=pair.replies)]

        def wait() -> None:
            for thread in both:
                thread.start()
            for thread in both:
                thread.join()
            for sock in (pair.client, pair.server):
                self._sockets.discard(sock)
                sock.close()
            self._threads.discard(threading.current_thread())

        waiting = threading.Thread(target=wait)
        self._threads.add(waiting)
        waiting.start()

    def take_fault(self) -> str | None:
        """Return what befalls a request that has come."""
        if self.fault is not None and self.spared > 0:
            self.spared -= 1
            return None
        fault, self.fault = self.fault, None
        return fault

    def drop(self) -> None:
        """Drop all connections."""
        for sock in list(self._sockets):
            shut(sock)

    def close(self) -> None:
        """Drop all connections, and take no more."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepting.join(10.0)
        self.drop()
        for thread in list(self._threads):
            thread.join(10.0)

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Pair:
    """A client's connection, and the one to the server in its place."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self._proxy = proxy
        self._fault: str | None = None
        proxy.run(self)

    def requests(self) -> None:
        with suppress(OSError):
            while data := self.client.recv(1 << 20):
                self._fault = self._fault or self._proxy.take_fault()
                if not self._pass_on(data):
                    break
        self._drop()

    def _pass_on(self, data: bytes) -> bool:
        """Deliver a request to the server; return whether the connection goes on."""
        fault, at = self._fault, self._proxy.at
        if fault == BEFORE:
            return False
        if fault == TORN:
            self.server.sendall(data[: round(at * len(data))])
            return False
        if fault == MUTE:
            shut(self.server)
            return True
        if fault == LATE:
            shut(self.client)
            time.sleep(self._proxy.pause)
        if fault == STALL:
            time.sleep(self._proxy.pause)
        self.server.sendall(data)
        if fault == DOUBLE:
            self._fault = None
            self._repeat(data)
        if fault == LATE:
            time.sleep(self._proxy.pause)  # until the server has read it
        return fault != LATE

    def _repeat(self, data: bytes) -> None:
        """Deliver a request once more: of HTTP as a proxy does that tries again, on its own."""
        if not data.startswith(b"POST"):
            self.server.sendall(data)
            return
        with self._proxy.connect() as other:
            other.sendall(data)
            other.settimeout(self._proxy.pause)
            with suppress(TimeoutError):
                other.recv(1 << 20)

    def replies(self) -> None:
        with suppress(OSError):
            while data := self.server.recv(1 << 20):
                if self._fault == MID:
                    self.client.sendall(data[: round(self._proxy.at * len(data))])
                if self._fault in (AFTER, MID):
                    break
                if self._fault == STALL:
                    self._fault = None
                    time.sleep(self._proxy.pause)
                self.client.sendall(data)
        if self._fault != MUTE:
            self._drop()

    def _drop(self) -> None:
        shut(self.client)
        shut(self.server)


def shut(sock: socket.socket) -> None:
    """Hang up, for whoever waits on the socket as well."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
