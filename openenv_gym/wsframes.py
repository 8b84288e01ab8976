"""Binary WebSocket frames (RFC 6455, 5.2): what both ends make and take themselves.

websockets' protocol does all of a connection. It takes bytes as they come, by way of a generator
and an object for each frame: of a step of some microseconds that is the larger part, and of a
picture three copies. A whole message in one frame, which is nearly all that our ends send, needs
no more than this.
"""

from __future__ import annotations

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


def head(length: int, mask: bytes = b"") -> bytes:
    """What comes before the bytes of a message in one frame.

    Args:
        length: Of the message.
        mask: What the bytes are masked with, which a client's must be.
    """
    masked = _MASKED if mask else 0
    if length < 126:
        return bytes((WHOLE_BINARY, masked | length)) + mask
    if length < 1 << 16:
        return bytes((WHOLE_BINARY, masked | 126)) + length.to_bytes(2, "big") + mask
    return bytes((WHOLE_BINARY, masked | 127)) + length.to_bytes(8, "big") + mask


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
