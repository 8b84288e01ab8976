"""The client's end of the pipe face; held by the transports that start a server on this host."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

from openenv_gym.channel import Channel
from openenv_gym.codec import decode, encode
from openenv_gym.errors import (
    ConnectError,
    ExchangeTimeoutError,
    ProtocolError,
    SessionLostError,
    StartError,
)
from openenv_gym.messages import Failure, Reply, Request

_RETRY = 0.005


class Pipe:
    """Messages over a channel, each with its number, so that a late reply is known for one.

    Args:
        channel: Connected, and past the handshake.
        fate: Tells what became of the other end, for the error when it is gone.
    """

    def __init__(self, channel: Channel, fate: Callable[[], str] = str) -> None:
        self._channel = channel
        self._fate = fate
        self._sent = 0

    def send(self, request: Request) -> None:
        """Implements Transport.send."""
        request.id = self._sent + 1
        data = encode(request)
        self._sent += 1
        try:
            self._channel.send_bytes(data)
        except OSError as error:
            raise self._lost() from error

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive."""
        self._channel.set_timeout(timeout)
        while True:
            try:
                reply = decode(self._channel.recv_bytes())
            except BlockingIOError as error:
                raise ExchangeTimeoutError(
                    f"No reply within {timeout} s. The environment may still be at it: "
                    "reset() waits for it anew, close() ends it; timeout= sets the limit.",
                    timeout=timeout,
                ) from error
            except (EOFError, OSError) as error:
                raise self._lost() from error
            if not isinstance(reply, Reply):
                raise ProtocolError(f"A {type(reply).__name__} is no reply.")
            # An older number answers a request that was given up. 0 answers what was no request.
            if reply.id == self._sent or (reply.id == 0 and type(reply) is Failure):
                return reply

    def _lost(self) -> SessionLostError:
        fate = self._fate()
        return SessionLostError(
            "The environment's process is gone, and the episode with it: make a new environment. "
            f"{fate}".rstrip(),
            fate=fate,
        )

    def close(self) -> None:
        """Hangs up."""
        self._channel.close()


def connect(
    address: Path | tuple[str, int],
    key: bytes,
    *,
    limit: float,
    dead: Callable[[], str | None] = lambda: None,
) -> Channel:
    """Connects to a pipe whose server may still be starting.

    Args:
        address: Path of its Unix socket, or its TCP address.
        key: Its key.
        limit: Seconds until it must answer.
        dead: Tells what became of the server, if it is dead; asked between tries.

    Raises:
        StartError: It died.
        ConnectError: It does not answer within the limit.
        AuthenticationError: It has another key.
    """
    deadline = time.monotonic() + limit
    while True:
        try:
            return _try_connect(address, key, limit)
        except (OSError, EOFError) as error:
            fate = dead()
            if fate is not None:
                raise StartError(fate, address=str(address)) from error
            if time.monotonic() > deadline:
                raise ConnectError(
                    f"No server answers at {address} within {limit} s: {error}. Is it running "
                    "(openenv-gym serve ... --pipe DIR)?",
                    address=str(address),
                    limit=limit,
                ) from error
            time.sleep(_RETRY)


def _try_connect(address: Path | tuple[str, int], key: bytes, limit: float) -> Channel:
    if isinstance(address, Path):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(str(address))
        except OSError:
            sock.close()
            raise
    else:
        sock = socket.create_connection(address, timeout=limit)
    channel = Channel(sock)
    channel.set_timeout(limit)
    try:
        channel.prove(key, first=False)
    except BaseException:
        # Docker's proxy of a port accepts, and hangs up, before the server listens.
        channel.close()
        raise
    return channel
