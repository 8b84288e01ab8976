"""In a process of its own on this machine, over the pipe face."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openenv_gym.channel import Channel
from openenv_gym.errors import ConnectError, OpenEnvGymError, OptionError, SessionLostError
from openenv_gym.messages import Close, Description, Open, Reply, Request
from openenv_gym.transport import STEP_TIMEOUT, Transport
from openenv_gym_transports.launch import Child
from openenv_gym_transports.pipe import Pipe, connect

_CLOSE_LIMIT = 5.0


class ProcessTransport(Transport):
    """Runs the environment in a process of its own, or reaches one that serves a pipe.

    A crash or a memory leak of the environment stays in its process; that is no protection from
    code that is not trusted.

    Args:
        url: ``unix:///directory`` of a server that was started with ``--pipe``. Without it a
            process is started, connected by a socket that nobody else can reach.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
    """

    name = "process"

    def __init__(
        self,
        *,
        url: str | None = None,
        timeout: float | None = STEP_TIMEOUT,
        start_timeout: float = 60.0,
    ) -> None:
        super().__init__(timeout=timeout)
        self._directory = None if url is None else _directory(url)
        self._start_timeout = start_timeout
        self._child: Child | None = None
        self._pipe: Pipe | None = None

    def open(self, request: Open) -> Description:
        """Starts or connects, and opens the session."""
        if self._directory is not None:
            self._pipe = Pipe(_connect(self._directory, self._start_timeout))
        else:
            self._start(request.environment)
        step_timeout, self.timeout = self.timeout, self._start_timeout
        try:
            return super().open(request)
        finally:
            self.timeout = step_timeout

    def _start(self, environment: str | None) -> None:
        if environment is None:
            raise OptionError("Without url= the environment must be named: there is none to ask.")
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = ["serve", environment, "--fd", str(theirs.fileno()), "--owned"]
            child = Child(arguments, fd=theirs.fileno())
        self._child = child
        self._pipe = Pipe(Channel(ours), child.fate)

    def send(self, request: Request) -> None:
        """Implements Transport.send."""
        self._connected().send(request)

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive."""
        return self._connected().receive(timeout)

    def _connected(self) -> Pipe:
        if self._pipe is None:
            raise SessionLostError("The transport is not open, or closed: make a new environment.")
        return self._pipe

    @property
    def isolation(self) -> dict[str, Any]:
        """A process of the same user, with its number where it is ours."""
        pid = {} if self._child is None else {"pid": self._child.pid}
        return {"boundary": "process", **pid}

    def close(self) -> None:
        """Closes the environment and ends the process."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            # Whatever goes wrong here, hanging up and ending the process follow.
            with contextlib.suppress(OpenEnvGymError):
                pipe.send(Close())
                pipe.receive(_CLOSE_LIMIT)
            pipe.close()
        child, self._child = self._child, None
        if child is not None:
            child.stop(_CLOSE_LIMIT)


def _directory(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme != "unix" or not parts.path or parts.netloc:
        raise OptionError(
            f"The transport process takes url='unix:///directory', not {url!r}. For http:// and "
            "ws:// take the transports http and websocket.",
            url=url,
        )
    return Path(parts.path)


def _connect(directory: Path, limit: float) -> Channel:
    try:
        key = (directory / "key").read_bytes()
    except OSError as error:
        raise ConnectError(
            f"There is no pipe in {directory}: {error}. Start one: openenv-gym serve ... --pipe "
            f"{directory}.",
            directory=str(directory),
        ) from error
    return connect(directory / "socket", key, limit=limit)
