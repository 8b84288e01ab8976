"""Cutting what a WebSocket server sends into frames, with as few copies as there can be.

websockets' protocol takes the bytes as they come, and copies a message three times until it is out
again: of a picture that is a third of the step. Whole binary messages, which are all that our
server sends but for pings, are received here in memory of their own. Every other frame is left to
the protocol, as the bytes that it is.
"""

from __future__ import annotations

from typing import Protocol

from openenv_gym.channel import MAX_MESSAGE

_BUFFER = 1 << 16
_WHOLE_BINARY = 0x82  # FIN, and the opcode of binary data (RFC 6455, 5.2)
_HEAD = 10  # bytes of the longest head without a mask


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
        whole = code == _WHOLE_BINARY and not self._buffer[1] & 0x80
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
