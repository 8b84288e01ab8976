"""Servers for tests: in a thread of this process, and in a process of their own."""

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
from contextlib import contextmanager
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


def free_port() -> int:
    """Return a port that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def ended(child: subprocess.Popen[bytes]) -> Iterator[None]:
    """End a process after the block, by force if it takes too long."""
    try:
        yield
    finally:
        child.terminate()
        try:
            child.wait(15.0)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


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
