"""Frames: bytes behind their length, over the socket between a sandbox and its owner.

Both ends use this. A frame is bounded and a wait ends: the other end may be hostile.
"""

from __future__ import annotations

import socket
import struct
import time

_HEADER = struct.Struct("!I")


class FrameError(Exception):
    """The other end is gone, or sent what is not a frame."""


def send(channel: socket.socket, data: bytes, deadline: float | None = None) -> None:
    """Sends one frame.

    Args:
        channel: Where to.
        data: What the frame holds.
        deadline: When to give up, by ``time.monotonic``; None never does.

    Raises:
        FrameError: The other end is gone.
        TimeoutError: It did not take the frame in time.
    """
    _limit(channel, deadline)
    try:
        channel.sendall(_HEADER.pack(len(data)) + data)
    except TimeoutError:
        raise
    except OSError as error:
        raise FrameError(f"The other end is gone: {error}") from error


def receive(channel: socket.socket, longest: int, deadline: float | None = None) -> bytes:
    """Waits for one frame.

    Args:
        channel: Where from.
        longest: The most bytes that it may hold.
        deadline: When to give up, by ``time.monotonic``; None never does.

    Raises:
        FrameError: The other end is gone, or sent a longer one.
        TimeoutError: It did not come in time.
    """
    (size,) = _HEADER.unpack(_exactly(channel, _HEADER.size, deadline))
    if size > longest:
        raise FrameError(f"A frame of {size} bytes, where at most {longest} are due.")
    return _exactly(channel, size, deadline)


def _exactly(channel: socket.socket, size: int, deadline: float | None) -> bytes:
    data = b""
    while len(data) < size:
        _limit(channel, deadline)
        try:
            more = channel.recv(size - len(data))
        except TimeoutError:
            raise
        except OSError as error:
            raise FrameError(f"The other end is gone: {error}") from error
        if not more:
            raise FrameError("The other end is gone.")
        data += more
    return data


def _limit(channel: socket.socket, deadline: float | None) -> None:
    if deadline is None:
        channel.settimeout(None)
        return
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("The time for the frame is over.")
    channel.settimeout(left)
