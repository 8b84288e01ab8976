"""Binary WebSocket frames (RFC 6455, 5.2): what both ends make and take themselves.

websockets' protocol does all of a connection. It takes bytes as they come, by way of a generator
and an object for each frame: of a step of some microseconds that is the larger part, and of a
picture three copies. A whole message in one frame, which is nearly all that our ends send, needs
no more than this.
"""

from __future__ import annotations

import secrets

from openenv_gym.wire.names import MAX_MESSAGE
from openenv_gym.wire.receive_buffer import Reader, ReceiveBuffer

try:
    from websockets.speedups import apply_mask
except ImportError:  # websockets without its extension in C
    from websockets.utils import apply_mask

_FINAL = 0x80
"""In the first byte of a frame: no further frame of the same message follows."""

WHOLE_BINARY = 0x82
"""The first byte of a message in one frame: FIN, and the opcode of binary data."""

_CONTROL = 0x8  # opcodes from here on are pings and the like, which come between frames too
_MASKED = 0x80
_MASK_SIZE = 4
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

    Both are 0 where the chunk does not show them.
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


class Cutter:
    """Cuts a client's bytes where its frames begin and end, so that whole messages stand out.

    A chunk is mostly one of them. It is more where the answer to a ping is before it, and less
    where the message is large.
    """

    def __init__(self) -> None:
        self._held = b""  # the begin of a head
        self._missing = 0  # bytes of the frame whose head was there
        self._unfinished = False  # a message has had a frame, but not its last

    def cut(self, chunk: bytes) -> list[tuple[bytes, int]]:
        """The bytes so far, in pieces.

        What is shorter than a head is held back until more comes.

        Args:
            chunk: What came next.

        Returns:
            Pieces, in order. With each the size of its head, if it is a whole binary message in
            one frame; else 0.
        """
        pieces: list[tuple[bytes, int]] = []
        if self._missing:
            part = chunk[: self._missing]
            self._missing -= len(part)
            pieces.append((part, 0))
            chunk = chunk[len(part) :]
        elif self._held:
            chunk = self._held + chunk
            self._held = b""
        while chunk:
            start, end = size_of(chunk)
            if not end:
                self._held = chunk
                break
            frame = chunk[:end]
            self._missing = end - len(frame)
            whole = not self._missing and not self._unfinished and is_message(frame)
            pieces.append((frame, start if whole else 0))
            if frame[0] & 0x0F < _CONTROL:
                self._unfinished = frame[0] < _FINAL
            chunk = chunk[end:]
        return pieces


class Frames:
    """The frames of one connection, in order; a server's, so they have no masks.

    Args:
        begun: What of them was received already.
    """

    def __init__(self, begun: bytes = b"") -> None:
        self._buffer = ReceiveBuffer(begun)
        self._end = 0  # of the frame that is there in part, if that is known

    def next(self) -> tuple[bool, bytearray | memoryview] | None:
        """The next frame, if it is there.

        Returns:
            True and a whole binary message, or False and the bytes of any other frame.

        Raises:
            OverflowError: It is too large.
        """
        buffer = self._buffer
        if buffer.filled < 2:
            return None
        code, masked = buffer.data[0], buffer.data[1] >= _MASKED
        length = buffer.data[1] & 0x7F
        start = 2 if length < 126 else 4 if length == 126 else _HEAD
        if buffer.filled < start:
            return None
        if start > 2:
            length = int.from_bytes(buffer.data[2:start], "big")
        if length > MAX_MESSAGE:
            raise OverflowError(f"a frame of {length} bytes, of which {MAX_MESSAGE} are allowed")
        end = start + length
        if buffer.filled < end:
            self._end = end
            return None
        self._end = 0
        whole = code == WHOLE_BINARY and not masked
        return whole, buffer.take(start if whole else 0, end)

    def receive(self, reader: Reader) -> None:
        """Wait for more bytes.

        Raises:
            EOFError: There will be none.
            OSError: As the socket does.
        """
        self._buffer.read(reader, self._end)
