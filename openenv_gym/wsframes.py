"""Binary WebSocket frames (RFC 6455, 5.2): what both ends make and take themselves.

websockets' protocol does all of a connection. It takes bytes as they come, by way of a generator
and an object for each frame: of a step of some microseconds that is the larger part, and of a
picture three copies. A whole message in one frame, which is nearly all that our ends send, needs
no more than this.
"""

from __future__ import annotations

import secrets
from typing import Protocol

from openenv_gym.channel import MAX_MESSAGE

try:
    from websockets.speedups import apply_mask
except ImportError:  # websockets without its extension in C
    from websockets.utils import apply_mask

FINAL = 0x80
"""In the first byte of a frame: no further frame of the same message follows."""

WHOLE_BINARY = 0x82
"""The first byte of a message in one frame: FIN, and the opcode of binary data."""

_MASKED = 0x80
_MASK_SIZE = 4
_BUFFER = 1 << 16
_HEAD = 10  # bytes of the longest head without a mask


def head(length: int, mask: bytes = b"") -> bytes:
    """What comes before the bytes of a message in one frame.

    Args:
        length: Of the message.
        mask: What the bytes are masked with, which a client's must be.
    """
    flag = _MASKED if mask else 0
    if length < 126:
        return bytes((WHOLE_BINARY, flag | length)) + mask
    if length < 1 << 16:
        return bytes((WHOLE_BINARY, flag | 126)) + length.to_bytes(2, "big") + mask
    return bytes((WHOLE_BINARY, flag | 127)) + length.to_bytes(8, "big") + mask


def size_of(chunk: bytes) -> tuple[int, int]:
    """How a client's frame begins that begins with the chunk: size of its head, and of all.

    Both are 0 where the chunk does not tell.
    """
    if len(chunk) < 2:
        return 0, 0
    length, start = chunk[1] & 0x7F, 2
    if length > 125:
        start = 4 if length == 126 else 10
        if len(chunk) < start:
            return 0, 0
        length = int.from_bytes(chunk[2:start], "big")
    start += _MASK_SIZE
    return start, start + length


def is_message(frame: bytes) -> bool:
    """Whether a client's frame is all of a binary message."""
    return frame[0] == WHOLE_BINARY and frame[1] >= _MASKED


def unmasked(frame: bytes, start: int) -> bytes:
    """The message in a client's frame whose head has that size."""
    return apply_mask(frame[start:], frame[start - _MASK_SIZE : start])


def masked(message: bytes) -> bytes:
    """A client's frame that is all of a binary message."""
    mask = secrets.token_bytes(_MASK_SIZE)
    return head(len(message), mask) + apply_mask(message, mask)


class Readable(Protocol):
    """A blocking socket."""

    def recv_into(self, buffer: memoryview, /) -> int:
        """As that of a socket."""
        ...


class Frames:
    """The frames of one connection, in order; a server's, so they have no masks.

    Args:
        begun: What of them was received already.
    """

    def __init__(self, begun: bytes = b"") -> None:
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)
        self._filled = len(begun)
        self._view[: len(begun)] = begun
        self._large: memoryview | None = None  # a message that is longer than the buffer
        self._received = 0  # of that
        self._whole = True  # and whether it is one, or another frame

    def next(self) -> tuple[bool, bytearray | memoryview] | None:
        """The next frame, if it is there.

        Returns:
            True and a whole binary message, or False and the bytes of any other frame.

        Raises:
            OverflowError: It is too large.
        """
        if self._large is not None:
            if self._received < len(self._large):
                return None
            large, self._large = self._large, None
            return self._whole, large
        if self._filled < 2:
            return None
        code, length = self._buffer[0], self._buffer[1] & 0x7F
        head = 2 if length < 126 else 4 if length == 126 else _HEAD
        if self._filled < head:
            return None
        if head > 2:
            length = int.from_bytes(self._buffer[2:head], "big")
        if length > MAX_MESSAGE:
            raise OverflowError(f"a frame of {length} bytes, of which {MAX_MESSAGE} are allowed")
        whole = code == WHOLE_BINARY and not self._buffer[1] & 0x80
        end = head + length
        if self._filled >= end:
            frame = self._buffer[head if whole else 0 : end]
            self._buffer[: self._filled - end] = self._buffer[end : self._filled]
            self._filled -= end
            return whole, frame
        if end > _BUFFER:
            self._begin_large(head if whole else 0, end)
            self._whole = whole
        return None

    def _begin_large(self, start: int, end: int) -> None:
        self._large = memoryview(bytearray(end - start))
        self._received = self._filled - start
        self._large[: self._received] = self._view[start : self._filled]
        self._filled = 0

    def receive(self, sock: Readable) -> None:
        """Waits for more bytes.

        Raises:
            EOFError: There will be none.
            OSError: As the socket does.
        """
        if self._large is not None:
            got = sock.recv_into(self._large[self._received :])
            self._received += got
        else:
            got = sock.recv_into(self._view[self._filled :])
            self._filled += got
        if got == 0:
            raise EOFError
