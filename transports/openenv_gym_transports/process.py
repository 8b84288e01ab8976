"""In a process of its own on this machine, over the pipe face."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from openenv_gym.errors import ConnectError, OptionError
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.private_folder import SOCKET, NotPrivateError, read_key
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.links.child_process import AT_ONCE, START_METHODS, Child
from openenv_gym_transports.links.pipe import PipeLink, connect


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ProcessTransport(Transport):
    """Runs the environment in a process of its own, or reaches one that serves a pipe.

    A crash or a memory leak of the environment stays in its process; that does not protect from
    code that is not trusted.

    Args:
        url: ``unix:///directory`` of a server that was started with ``--pipe``. Without it a
            process is started for each link, connected by a socket that nobody else can reach.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.
        output: Whether what a process that is started prints goes to this program's standard output
            and error, each line with a prefix.
        start_method: ``"spawn"``: a new interpreter; ``"forkserver"``: a fork of a process that
            has imported Python's and this package's modules, which is started once and ends with
            this program: Linux only, and an error where a thread runs in that process.
    """

    name: ClassVar[str] = "process"

    url: str | None = None
    output: bool = True
    start_method: str = "spawn"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start_method not in START_METHODS:
            raise OptionError(
                f"{self.start_method!r} is not a valid start_method: give one of "
                f"{', '.join(START_METHODS)}, or leave it out.",
                start_method=self.start_method,
            )
        if self.url is not None:
            _directory(self.url)

    @property
    def side_by_side(self) -> int:
        """Implements Transport.side_by_side: all that are started."""
        return AT_ONCE if self.url is None else 1

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open."""
        child = None
        if self.url is not None:
            directory = _directory(self.url)
            stream = connect(directory / SOCKET, _key(directory))
        elif request.environment is None:
            raise OptionError("Without url= the environment must be named: there is none to ask.")
        else:
            stream, child = self._start(request.environment, settings.core)
        link = PipeLink(stream, child, timeout=self.timeout, settings=settings)
        link.begin(request, self.start_timeout)
        return link

    def _start(self, environment: str, core: int | None) -> tuple[Stream, Child]:
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                child = Child(
                    ["serve", environment, "--owned"],
                    fd=theirs.fileno(),
                    core=core,
                    output=self.output,
                    start_method=self.start_method,
                )
            except BaseException:
                ours.close()
                raise
        return Stream(ours), child


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
        return read_key(directory)
    except NotPrivateError as error:
        raise ConnectError(
            f"The pipe in {directory} is not used, since another user could be at its other end: "
            f"{error}",
            directory=str(directory),
        ) from error
    except OSError as error:
        raise ConnectError(
            f"There is no pipe in {directory}: {error}. Start one: openenv-gym serve ... --pipe "
            f"{directory}.",
            directory=str(directory),
        ) from error
