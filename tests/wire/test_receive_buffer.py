"""The buffer of both wires: messages in pieces, several at once, and large ones."""

from __future__ import annotations

import pytest

from openenv_gym.wire.receive_buffer import BUFFER, ReceiveBuffer


class Pieces:
    """A reader that gives bytes in pieces of a size."""

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size

    def recv_into(self, buffer: bytearray | memoryview, /) -> int:
        piece = self._data[: min(self._size, len(buffer))]
        buffer[: len(piece)] = piece
        self._data = self._data[len(piece) :]
        return len(piece)

    rest_into = recv_into


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
@pytest.mark.parametrize("sizes", [[3, 5, 4], [BUFFER - 1, 2, BUFFER + 1, 3 * BUFFER, 1]])
def test_messages_come_out_whole_and_in_memory_of_their_own(sizes: list[int], piece: int) -> None:
    if piece == 1 and max(sizes) > BUFFER:
        piece = 1001
    messages = [bytes([number + 1]) * size for number, size in enumerate(sizes)]
    reader, buffer = Pieces(b"".join(messages), piece), ReceiveBuffer()
    taken = []
    for size in sizes:
        while buffer.filled < size:
            buffer.read(reader, size if buffer.filled else 0)
        taken.append(buffer.take(0, size))
    assert [bytes(one) for one in taken] == messages
    assert buffer.filled == 0
    with pytest.raises(EOFError):
        buffer.read(reader)


def test_what_was_received_before_comes_first() -> None:
    buffer = ReceiveBuffer(b"abcdef")
    assert bytes(buffer.take(1, 4)) == b"bcd"
    buffer.read(Pieces(b"gh", 2), 4)
    assert bytes(buffer.take(0, 4)) == b"efgh"
