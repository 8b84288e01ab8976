"""The client's end of the pipe face: what the transports to a server on this host share."""

from __future__ import annotations

import contextlib
import socket
import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

from openenv_gym.errors import (
    ConnectError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    SessionLostError,
    StartError,
)
from openenv_gym.wire.messages import Close, Description, Open, OpenVector, Reply, Request
from openenv_gym.wire.stream import Stream, readable
from openenv_gym_transports.links.numbered import NumberedTransport

_RETRY = 0.005
_HANDSHAKE_LIMIT = 10.0
_CLOSE_LIMIT = 5.0


class PipeTransport(NumberedTransport):
    """Messages over a stream.

    Args:
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
    """

    def __init__(self, *, timeout: float | None, start_timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._start_timeout = start_timeout
        self._stream: Stream | None = None

    @abstractmethod
    def _connect(self, environment: str | None) -> Stream:
        """Starts what is needed for the environment, and connects to it."""

    @abstractmethod
    def _fate(self) -> str:
        """What became of the other end, for the error when it is gone."""

    @abstractmethod
    def _stop(self) -> None:
        """Ends what was started. May be called before anything was, and more than once."""

    def open(self, request: Open | OpenVector) -> Description:
        """Starts and connects what is needed, and opens the session."""
        try:
            with self._limited(self._start_timeout):
                self._stream = self._connect(request.environment)
                self._stream.stay_awake(self.awake)
                return super().open(request)
        except (SessionLostError, ExchangeTimeoutError) as error:
            fate = self._fate()
            self.close()
            raise StartError(
                f"The environment {request.environment!r} did not start, for which it had "
                f"{self._start_timeout} s (start_timeout=). {fate}".rstrip(),
                environment=request.environment,
                start_timeout=self._start_timeout,
                fate=fate,
            ) from error
        except BaseException:
            self.close()
            raise

    def send(self, request: Request) -> None:
        """Implements Transport.send."""
        stream = self._stream
        if stream is None:
            raise self._not_open()
        data = self._numbered(request)
        try:
            stream.send_bytes(data)
        except OSError as error:
            # The other end would take the next message for the rest of one sent in part.
            stream.shutdown()
            raise self._lost() from error

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive."""
        stream = self._stream
        assert stream is not None, "receive() without send()"
        stream.set_timeout(timeout)
        while True:
            try:
                reply = self._due(stream.recv_bytes())
            except BlockingIOError as error:
                raise self._late(timeout) from error
            except (EOFError, OSError) as error:
                raise self._lost() from error
            if reply is not None:
                return reply

    def ready(self, timeout: float) -> bool:
        """Implements Transport.ready."""
        return self._stream is None or readable([self._stream.fileno()], timeout)

    def fileno(self) -> int | None:
        """Implements Transport.fileno."""
        return None if self._stream is None else self._stream.fileno()

    def _lost(self) -> SessionLostError:
        fate = self._fate()
        return SessionLostError(
            "The environment's process is gone, and the episode with it: make a new environment. "
            f"{fate}".rstrip(),
            fate=fate,
        )

    def close(self) -> None:
        """Closes the environment, hangs up, and ends what was started."""
        stream = self._stream
        if stream is not None:
            # Whatever goes wrong here, hanging up and ending the server follow.
            with contextlib.suppress(OpenEnvGymError):
                self.send(Close())
                self.receive(_CLOSE_LIMIT)
            self._stream = None
            stream.close()
        self._stop()


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
        dead: Tells what became of the server, if it is dead; asked between tries.

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
        sock = socket.create_connection(address, timeout=_HANDSHAKE_LIMIT)
    stream = Stream(sock)
    stream.set_timeout(_HANDSHAKE_LIMIT)
    try:
        stream.prove(key, first=False)
    except BaseException:
        # Docker's proxy of a port accepts, and hangs up, before the server listens.
        stream.close()
        raise
    return stream
