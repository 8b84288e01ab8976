"""The client's end of the pipe face: a session over a stream to a server on this machine."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openenv_gym.errors import (
    ConnectError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    SessionLostError,
    StartError,
)
from openenv_gym.transport import LinkSettings
from openenv_gym.wire.codec import Decoders
from openenv_gym.wire.messages import Close, Open, OpenVector, Reply, Request
from openenv_gym.wire.names import HANDSHAKE_LIMIT
from openenv_gym.wire.shared_memory import ReadMemory, make_file, map_for_reading
from openenv_gym.wire.stream import Stream, readable
from openenv_gym_transports.links.server import OwnedServer
from openenv_gym_transports.links.wire_link import WireLink

_RETRY = 0.005
_LOOK = 0.05  # seconds after which a server that does not connect is looked at


class PipeLink(WireLink):
    """A session over a stream.

    Args:
        stream: Connected; closed with the link.
        owned: What was started for the link, and ends with it; None for a server that runs already.
        timeout: Seconds to wait for a reply; None waits forever.
        settings: What the user of the link decides about it.
    """

    def __init__(
        self,
        stream: Stream,
        owned: OwnedServer | None,
        *,
        timeout: float | None,
        settings: LinkSettings,
    ) -> None:
        super().__init__(timeout, settings)
        self._stream: Stream | None = stream
        self._owned = owned
        self._memory: ReadMemory | None = None
        stream.stay_awake(settings.busy_wait)
        if settings.shared_memory and stream.passes_descriptors:
            self._share_memory(stream, views=settings.views)

    def _share_memory(self, stream: Stream, *, views: bool) -> None:
        """Make a memory file, which the other end gets with the first request."""
        file = make_file()
        if file is None:
            return
        self._memory = map_for_reading(file)
        if self._memory is None:
            os.close(file)
            return
        self._decoders = Decoders(self._memory, views=views)
        stream.hand_over(file)

    def _hang_up(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        if self._memory is not None:
            self._memory.close()

    def begin(self, request: Open | OpenVector, limit: float | None) -> None:
        """Open the session, within so many seconds; the link is closed if that fails.

        Raises:
            StartError: The environment was not there in time.
        """
        try:
            super().begin(request, limit)
        except (SessionLostError, ExchangeTimeoutError) as error:
            fate = self._fate()
            self.close()
            raise StartError(
                f"The environment {request.environment!r} did not start, for which it had "
                f"{limit} s (start_timeout=). {fate}".rstrip(),
                environment=request.environment,
                start_timeout=limit,
                fate=fate,
            ) from error
        except BaseException:
            self.close()
            raise

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements Link.isolation."""
        return {"boundary": "process"} if self._owned is None else self._owned.isolation

    def send(self, request: Request) -> None:
        """Implements Link.send."""
        stream = self._stream
        if stream is None:
            raise self._not_open()
        data = self._encode(request)
        try:
            stream.send_bytes(data)
        except OSError as error:
            # The other end would take the next message for the rest of one sent in part.
            stream.shutdown()
            raise self._lost() from error
        except BaseException:
            stream.shutdown()
            raise

    def receive(self, timeout: float | None) -> Reply:
        """Implements Link.receive."""
        stream = self._stream
        if stream is None:
            raise self._not_open()
        try:
            return self._reply(stream.receive, timeout)
        except (BlockingIOError, TimeoutError) as error:
            raise self._late(timeout) from error
        except (EOFError, OSError) as error:
            raise self._lost() from error

    def ready(self, timeout: float) -> bool:
        """Implements Link.ready."""
        return self._stream is None or readable([self._stream.fileno()], timeout)

    def fileno(self) -> int | None:
        """Implements Link.fileno."""
        return None if self._stream is None else self._stream.fileno()

    def detach(self) -> socket.socket | None:
        """Implements Link.detach."""
        stream, self._stream = self._stream, None
        return None if stream is None else stream.detach()

    def fate(self) -> str:
        """Implements Link.fate."""
        return self._fate()

    def _fate(self) -> str:
        return "" if self._owned is None else self._owned.fate()

    def _lost(self) -> SessionLostError:
        fate = self._fate()
        return SessionLostError(
            "The environment's process is gone, and the episode with it: make a new environment. "
            f"{fate}".rstrip(),
            fate=fate,
        )

    @property
    def renewable(self) -> bool:
        """Implements Link.renewable."""
        return self._owned is not None

    def kill(self, reason: str) -> None:
        """Implements Link.kill."""
        self._hang_up()
        if self._owned is not None:
            self._owned.kill()

    def close(self) -> None:
        """Implements Link.close: close the environment, hang up, and end what was started."""
        if self.forked:
            return
        if self._stream is not None:
            # Whatever goes wrong here, hanging up and ending the server follow.
            with contextlib.suppress(OpenEnvGymError):
                self.send(Close())
                self.receive(self._close_limit)
        self._hang_up()
        if self._owned is not None:
            self._owned.stop(self._close_limit)


def accept(listener: socket.socket, *, limit: float, dead: Callable[[], str | None]) -> Stream:
    """Wait for the server that was started to connect to a socket that only it can reach.

    Args:
        listener: The socket.
        limit: Seconds that the server may need to start.
        dead: Returns what became of the server, if it is dead; asked again and again.

    Raises:
        StartError: It died.
        ConnectError: It did not connect within the limit.
    """
    deadline = time.monotonic() + limit
    while not readable([listener.fileno()], _LOOK):
        fate = dead()
        if fate is not None:
            raise StartError(fate)
        if time.monotonic() > deadline:
            raise ConnectError(f"Its server did not connect within {limit} s.")
    return Stream(listener.accept()[0])


def connect(
    address: Path | tuple[str, int],
    key: bytes,
    *,
    limit: float = 0.0,
    dead: Callable[[], str | None] = lambda: None,
) -> Stream:
    """Connects to a pipe.

    Args:
        address: Path of its Unix socket, or its TCP address.
        key: Its key.
        limit: Seconds that its server may still need to start.
        dead: Returns what became of the server, if it is dead; asked between tries.

    Raises:
        StartError: It died.
        ConnectError: It does not answer within the limit.
        AuthenticationError: It has another key.
    """
    deadline = time.monotonic() + limit
    while True:
        try:
            return _try_connect(address, key)
        except (OSError, EOFError) as error:
            fate = dead()
            if fate is not None:
                raise StartError(fate, address=str(address)) from error
            if time.monotonic() > deadline:
                raise ConnectError(
                    f"No server answers at {address}: {error}. Is it running "
                    "(openenv-gym serve ... --pipe DIR)?",
                    address=str(address),
                    limit=limit,
                ) from error
            time.sleep(_RETRY)


def _try_connect(address: Path | tuple[str, int], key: bytes) -> Stream:
    if isinstance(address, Path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(address))
        except OSError:
            sock.close()
            raise
    else:
        sock = socket.create_connection(address, timeout=HANDSHAKE_LIMIT)
    stream = Stream(sock)
    stream.set_timeout(HANDSHAKE_LIMIT)
    try:
        stream.prove(key, first=False)
    except BaseException:
        # Docker's proxy of a port accepts, and hangs up, before the server listens.
        stream.close()
        raise
    return stream
