"""The client's end of the pipe face: what the transports to a server on this host share."""

from __future__ import annotations

import contextlib
import socket
import time
from abc import abstractmethod
from collections.abc import Callable
from pathlib import Path

from openenv_gym.channel import Channel, readable
from openenv_gym.errors import (
    ConnectError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    SessionLostError,
    StartError,
)
from openenv_gym.messages import Close, Description, Open, OpenVector, Reply, Request
from openenv_gym_transports.numbered import NumberedTransport

_RETRY = 0.005
_HANDSHAKE_LIMIT = 10.0
_CLOSE_LIMIT = 5.0


class PipeTransport(NumberedTransport):
    """Messages over a channel.

    Args:
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
    """

    def __init__(self, *, timeout: float | None, start_timeout: float) -> None:
        super().__init__(timeout=timeout)
        self._start_timeout = start_timeout
        self._channel: Channel | None = None

    @abstractmethod
    def _connect(self, environment: str | None) -> Channel:
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
                self._channel = self._connect(request.environment)
                self._channel.stay_awake(self.awake)
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
        channel = self._channel
        if channel is None:
            raise self._not_open()
        data = self._numbered(request)
        try:
            channel.send_bytes(data)
        except OSError as error:
            # The other end would take the next message for the rest of one sent in part.
            channel.shutdown()
            raise self._lost() from error

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive."""
        channel = self._channel
        assert channel is not None, "receive() without send()"
        channel.set_timeout(timeout)
        while True:
            try:
                reply = self._due(channel.recv_bytes())
            except BlockingIOError as error:
                raise self._late(timeout) from error
            except (EOFError, OSError) as error:
                raise self._lost() from error
            if reply is not None:
                return reply

    def ready(self, timeout: float) -> bool:
        """Implements Transport.ready."""
        return self._channel is None or readable([self._channel.fileno()], timeout)

    def fileno(self) -> int | None:
        """Implements Transport.fileno."""
        return None if self._channel is None else self._channel.fileno()

    def _lost(self) -> SessionLostError:
        fate = self._fate()
        return SessionLostError(
            "The environment's process is gone, and the episode with it: make a new environment. "
            f"{fate}".rstrip(),
            fate=fate,
        )

    def close(self) -> None:
        """Closes the environment, hangs up, and ends what was started."""
        channel = self._channel
        if channel is not None:
            # Whatever goes wrong here, hanging up and ending the server follow.
            with contextlib.suppress(OpenEnvGymError):
                self.send(Close())
                self.receive(_CLOSE_LIMIT)
            self._channel = None
            channel.close()
        self._stop()


def connect(
    address: Path | tuple[str, int],
    key: bytes,
    *,
    limit: float = 0.0,
    dead: Callable[[], str | None] = lambda: None,
) -> Channel:
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


def _try_connect(address: Path | tuple[str, int], key: bytes) -> Channel:
    if isinstance(address, Path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(address))
        except OSError:
            sock.close()
            raise
    else:
        sock = socket.create_connection(address, timeout=_HANDSHAKE_LIMIT)
    channel = Channel(sock)
    channel.set_timeout(_HANDSHAKE_LIMIT)
    try:
        channel.prove(key, first=False)
    except BaseException:
        # Docker's proxy of a port accepts, and hangs up, before the server listens.
        channel.close()
        raise
    return channel
