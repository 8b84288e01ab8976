"""A buffer that grows with the messages that are received into it."""

from __future__ import annotations

from typing import Protocol

BUFFER = 1 << 16
"""Bytes that a buffer has at least; a larger message gets a buffer of its own."""
_AT_ONCE = 1 << 24
"""Bytes that a buffer is given as soon as the other end has announced them."""


class Reader(Protocol):
    """Receives from a blocking socket."""

    def recv_into(self, buffer: bytearray | memoryview, /) -> int:
        """Receive what comes next, as a socket does."""
        ...

    def rest_into(self, buffer: memoryview, /) -> int:
        """Receive what is on its way already, better all at once."""
        ...


class ReceiveBuffer:
    """What was received of a stream of messages, and not taken yet.

    Args:
        begun: What was received already.

    Attributes:
        data: The bytes, and room for more.
        filled: How many there are.
    """

    def __init__(self, begun: bytes = b"") -> None:
        self.data = bytearray(BUFFER)
        self.data[: len(begun)] = begun
        self.filled = len(begun)

    def read(self, reader: Reader, end: int = 0) -> None:
        """Wait for more bytes.

        Args:
            reader: Receives them.
            end: Where the message ends of which a part is there; 0 for whatever comes next.

        Raises:
            EOFError: There will be none.
            OSError: As the socket does.
        """
        if end:
            self._make_room(end)
            got = reader.rest_into(memoryview(self.data)[self.filled : end])
        elif self.filled:
            got = reader.recv_into(memoryview(self.data)[self.filled :])
        else:  # mostly: two views less
            got = reader.recv_into(self.data)
        if got == 0:
            raise EOFError("the other end is gone")
        self.filled += got

    def _make_room(self, end: int) -> None:
        """Grow for a message, which may never come whole: beyond a bound with what has come."""
        room = len(self.data)
        if room < end and (room < min(end, _AT_ONCE) or self.filled == room):
            grown = bytearray(min(end, max(_AT_ONCE, 2 * self.filled)))
            grown[: self.filled] = self.data[: self.filled]
            self.data = grown

    def take(self, start: int, end: int) -> bytearray | memoryview:
        """Return what is between the two, in memory of its own; the buffer begins behind it."""
        taken: bytearray | memoryview
        if end > BUFFER:  # the buffer is this message's alone: hand it over
            taken = memoryview(self.data)[start:end]
            rest = self.data[end : self.filled]
            # The next one will be as large, if this is a conversation about pictures.
            self.data = bytearray(end)
            self.data[: len(rest)] = rest
        else:
            taken = self.data[start:end]
            if self.filled > end:
                self.data[: self.filled - end] = self.data[end : self.filled]
        self.filled -= end
        return taken
