"""Servers for tests: in a thread, in a process, and behind a proxy that drops connections."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

from openenv_gym.server.app import create_app
from openenv_gym.server.run import uvicorn_settings
from openenv_gym.server.sessions import Sessions


def eventually(condition: Callable[[], Any], limit: float = 60.0) -> Any:
    """Wait until a condition holds."""
    deadline = time.monotonic() + limit
    while not (held := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return held


class Served:
    """A server in a thread of this process."""

    def __init__(self, port: int, sessions: Sessions, *, secure: bool = False) -> None:
        self.port = port
        self.sessions = sessions
        self._s = "s" if secure else ""

    def url(self, transport: str, port: int | None = None) -> str:
        scheme = {"websocket": "ws", "http": "http"}[transport]
        return f"{scheme}{self._s}://127.0.0.1:{port or self.port}"


@contextmanager
def serving(
    environment: Any, *models: type, tls: ssl.SSLContext | None = None, **settings: Any
) -> Iterator[Served]:
    """Serves an environment while the block runs."""
    app = create_app(environment, *models, **settings)
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    port = listener.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, **uvicorn_settings(app.state.sessions, tls)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Served(port, app.state.sessions, secure=tls is not None)
    finally:
        server.should_exit = True
        thread.join(20.0)
        assert not thread.is_alive(), "the server does not end"


@contextmanager
def process(
    environment: str,
    *arguments: str,
    log: Path | None = None,
    python: str = sys.executable,
    variables: Mapping[str, str] | None = None,
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Serves an environment in a process; gives it and the port.

    Args:
        environment: What is served.
        *arguments: Further ones of ``openenv-gym serve``.
        log: Where its output goes.
        python: The interpreter.
        variables: Its environment variables; by default it finds the modules that are found here.
    """
    inherited = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        open(os.devnull if log is None else log, "wb") as output,
        socket.create_server(("127.0.0.1", 0), backlog=128) as listener,
    ):
        port, fd = listener.getsockname()[1], listener.fileno()
        child = subprocess.Popen(
            [python, "-m", "openenv_gym.cli", "serve", environment]
            + ["--network", "--fd", str(fd), *arguments],
            pass_fds=[fd],
            env=inherited if variables is None else variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield child, port
    finally:
        child.terminate()
        try:
            child.wait(15.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            raise


def is_running(pid: int) -> bool:
    """Whether there is such a process that is no zombie."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


class Proxy:
    """A TCP proxy that drops a connection when it is told to.

    Attributes:
        fault: What befalls the next request: ``"before"`` it arrives, when half of it has arrived
            (``"torn"``), ``"after"`` it was carried out, or when half of the reply is there
            (``"mid"``). With ``"mute"`` the client is not told that the server is gone.
        spared: How many requests the fault lets pass.
        upstream: Port that it leads to.
        accepted: How many connections there were.
    """

    def __init__(self, port: int) -> None:
        self.fault: str | None = None
        self.spared = 0
        self.accepted = 0
        self.upstream = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                self._sockets.append(client)
                try:
                    server = socket.create_connection(("127.0.0.1", self.upstream))
                except ConnectionRefusedError:
                    client.shutdown(socket.SHUT_RDWR)
                    continue
                self._sockets.append(server)
                pair = _Pair(self, client, server)
                for pump in (pair.requests, pair.replies):
                    thread = threading.Thread(target=pump)
                    thread.start()
                    self._threads.append(thread)

    def take_fault(self) -> str | None:
        if self.fault is not None and self.spared > 0:
            self.spared -= 1
            return None
        fault, self.fault = self.fault, None
        return fault

    def drop(self) -> None:
        """Drops all connections."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()
        for thread in self._threads:
            thread.join(10.0)
        for sock in self._sockets:
            sock.close()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Pair:
    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy, self._client, self._server = proxy, client, server
        self._fault: str | None = None

    def requests(self) -> None:
        with suppress(OSError):
            while data := self._client.recv(1 << 20):
                self._fault = self._fault or self._proxy.take_fault()
                if self._fault == "torn":
                    self._server.sendall(data[: len(data) // 2])
                if self._fault in ("before", "torn"):
                    break
                if self._fault == "mute":
                    with suppress(OSError):
                        self._server.shutdown(socket.SHUT_RDWR)
                    continue
                self._server.sendall(data)
        self._drop()

    def replies(self) -> None:
        with suppress(OSError):
            while data := self._server.recv(1 << 20):
                if self._fault == "mid":
                    self._client.sendall(data[: len(data) // 2])
                if self._fault in ("after", "mid"):
                    break
                self._client.sendall(data)
        if self._fault != "mute":
            self._drop()

    def _drop(self) -> None:
        for sock in (self._client, self._server):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
