"""Cutting a server's bytes into frames: as websockets' own serializer puts them together."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from openenv_gym.wire.websocket_frames import (
    Cutter,
    Frames,
    head,
    is_message,
    masked,
    size_of,
    unmasked,
)


class Chunks:
    """A socket that gives its bytes in pieces."""

    def __init__(self, data: bytes, sizes: list[int]) -> None:
        self.data = data
        self.sizes = sizes

    def recv_into(self, buffer: bytearray | memoryview, /) -> int:
        size = min(self.sizes.pop() if self.sizes else len(self.data), len(self.data), len(buffer))
        buffer[:size] = self.data[:size]
        self.data = self.data[size:]
        return size

    rest_into = recv_into


def serialized(frames: list[Frame]) -> list[bytes]:
    return [frame.serialize(mask=False) for frame in frames]


def drained(frames: Frames, sock: Chunks) -> list[tuple[bool, bytes]]:
    got = []
    while True:
        frame = frames.next()
        if frame is not None:
            got.append((frame[0], bytes(frame[1])))
            continue
        try:
            frames.receive(sock)
        except EOFError:
            return got


_LENGTHS = st.sampled_from([0, 1, 125, 126, 300, 65535, 65536, 70000, 200_000])
_FRAMES = st.builds(
    lambda opcode, length, fin: Frame(opcode, bytes(length), fin),
    st.sampled_from([Opcode.BINARY, Opcode.TEXT, Opcode.CONT]),
    _LENGTHS,
    st.booleans(),
) | st.just(Frame(Opcode.PING, b"alive?"))


@settings(deadline=None)
@given(st.lists(_FRAMES, max_size=4), st.lists(st.integers(1, 100_000), max_size=20))
def test_whatever_the_pieces(frames: list[Frame], sizes: list[int]) -> None:
    pieces = serialized(frames)
    wanted = [
        (True, bytes(frame.data)) if frame.opcode is Opcode.BINARY and frame.fin else (False, piece)
        for frame, piece in zip(frames, pieces, strict=True)
    ]
    sock = Chunks(b"".join(pieces), sizes)
    assert drained(Frames(), sock) == wanted


@settings(deadline=None)
@given(st.lists(_FRAMES, max_size=4), st.lists(st.integers(1, 100_000), max_size=20))
def test_a_client_s_bytes_whatever_the_chunks(frames: list[Frame], sizes: list[int]) -> None:
    """No byte is lost or moved; what is taken for a whole message is one."""
    data = b"".join(frame.serialize(mask=True) for frame in frames)
    cutter = Cutter()
    pieces: list[tuple[bytes, int]] = []
    rest = data
    for size in [*sizes, len(data)]:
        pieces += cutter.cut(rest[:size])
        rest = rest[size:]
    assert b"".join(piece for piece, _ in pieces) == data
    for piece, start in pieces:
        if start:
            assert is_message(piece)
            assert (start, len(piece)) == size_of(piece)


@given(st.lists(_FRAMES, max_size=5))
def test_whole_messages_stand_out(frames: list[Frame]) -> None:
    """Not within a message in several frames: that breaks the protocol, which is to be noticed."""
    wanted = []
    unfinished = False
    for frame in frames:
        wanted.append(frame.opcode is Opcode.BINARY and frame.fin and not unfinished)
        if frame.opcode is not Opcode.PING:
            unfinished = not frame.fin
    pieces = Cutter().cut(b"".join(frame.serialize(mask=True) for frame in frames))
    assert [start > 0 for _, start in pieces] == wanted


def test_what_was_received_before() -> None:
    piece = Frame(Opcode.BINARY, b"abc").serialize(mask=False)
    assert drained(Frames(piece[:2]), Chunks(piece[2:], [])) == [(True, b"abc")]


def test_a_message_is_in_memory_of_its_own() -> None:
    frames = Frames()
    sock = Chunks(Frame(Opcode.BINARY, bytes(100)).serialize(mask=False) * 2, [])
    frames.receive(sock)
    first = frames.next()
    second = frames.next()
    assert first is not None
    assert second is not None
    first[1][0] = 7
    assert second[1][0] == 0


def test_too_large() -> None:
    frames = Frames(bytes([0x82, 127]) + (1 << 40).to_bytes(8, "big"))
    with pytest.raises(OverflowError, match="allowed"):
        frames.next()


@given(st.builds(bytes, _LENGTHS))
def test_a_message_in_one_frame(message: bytes) -> None:
    frame = Frame(Opcode.BINARY, message)
    assert head(len(message)) + message == frame.serialize(mask=False)
    for made in (masked(message), frame.serialize(mask=True)):
        start, end = size_of(made)
        assert end == len(made) == len(frame.serialize(mask=False)) + 4
        assert is_message(made)
        assert unmasked(made, start) == message


def test_a_mask_is_another_each_time() -> None:
    assert len({masked(b"abc") for _ in range(20)}) > 10


@pytest.mark.parametrize("chunk", [b"", b"\x82", b"\x82\xfe\x01", b"\x82\xff" + bytes(7)], ids=repr)
def test_a_chunk_too_short_to_tell(chunk: bytes) -> None:
    assert size_of(chunk) == (0, 0)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(Opcode.BINARY, b"abc").serialize(mask=False),
        Frame(Opcode.BINARY, b"abc", fin=False).serialize(mask=True),
        Frame(Opcode.TEXT, b"abc").serialize(mask=True),
        Frame(Opcode.PING, b"abc").serialize(mask=True),
    ],
    ids=["no mask", "a part", "text", "ping"],
)
def test_what_is_no_message_of_a_client(frame: bytes) -> None:
    assert not is_message(frame)
