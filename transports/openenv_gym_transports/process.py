"""In a process of its own on this machine, over the pipe face."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from openenv_gym.errors import ConnectError, OptionError
from openenv_gym.transport import STEP_TIMEOUT
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.links.child_process import Child
from openenv_gym_transports.links.pipe import PipeTransport, connect

_CLOSE_LIMIT = 5.0


class ProcessTransport(PipeTransport):
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
        super().__init__(timeout=timeout, start_timeout=start_timeout)
        self._directory = None if url is None else _directory(url)
        self._child: Child | None = None

    def _connect(self, environment: str | None) -> Stream:
        if self._directory is not None:
            return connect(self._directory / "socket", _key(self._directory))
        if environment is None:
            raise OptionError("Without url= the environment must be named: there is none to ask.")
        ours, theirs = socket.socketpair()
        with theirs:
            arguments = ["serve", environment, "--fd", str(theirs.fileno()), "--owned"]
            try:
                self._child = Child(arguments, fd=theirs.fileno(), core=self.core)
            except BaseException:
                ours.close()
                raise
        return Stream(ours)

    def _fate(self) -> str:
        return "" if self._child is None else self._child.fate()

    @property
    def isolation(self) -> dict[str, Any]:
        """A process of the same user, with its number where it is ours."""
        pid = {} if self._child is None else {"pid": self._child.pid}
        return {"boundary": "process", **pid}

    def _stop(self) -> None:
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


def _key(directory: Path) -> bytes:
    try:
        return (directory / "key").read_bytes()
    except OSError as error:
        raise ConnectError(
            f"There is no pipe in {directory}: {error}. Start one: openenv-gym serve ... --pipe "
            f"{directory}.",
            directory=str(directory),
        ) from error
