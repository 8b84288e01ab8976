"""Memory files: what is in them arrives as it was, and nothing that the other end does harms."""

from __future__ import annotations

import array
import ctypes
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple
from unittest.mock import patch

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from msgspec.msgpack import Encoder, Ext

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import CodecError
from openenv_gym.testing import same
from openenv_gym.transport import LinkSettings
from openenv_gym.wire import codec, shared_memory
from openenv_gym.wire.arrays import array_head
from openenv_gym.wire.codec import Decoders, decode, encode, encoder_into
from openenv_gym.wire.messages import Frame, GetState, Result, StateReply, VectorResult
from openenv_gym.wire.shared_memory import (
    LARGE,
    SIZE,
    ReadMemory,
    WriteMemory,
    make_file,
    map_for_writing,
)
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.links.pipe import PipeLink
from tests.environments import THREADED
from tests.wire.test_codec import values

PICTURE = np.arange(LARGE, dtype=np.uint8).reshape(2, -1)


class Ends(NamedTuple):
    file: int
    reads: ReadMemory
    writes: WriteMemory
    encoder: Encoder
    decoders: Decoders
    views: Decoders


def made(size: int = SIZE) -> Ends:
    file = make_file(size)
    assert file is not None
    reads, writes = ReadMemory(file, size), map_for_writing([os.dup(file)])
    assert writes is not None
    decoders, views = Decoders(reads), Decoders(reads, views=True)
    return Ends(file, reads, writes, encoder_into(writes), decoders, views)


@pytest.fixture
def ends() -> Iterator[Ends]:
    both = made()
    yield both
    os.close(both.file)
    both.reads.close()
    both.writes.close()


@given(values)
@settings(max_examples=150)
def test_values_arrive_as_they_were(value: Any) -> None:
    with patch.object(codec, "LARGE", 1), patch.object(shared_memory, "LARGE", 1):
        ends = made(1 << 16)
        os.close(ends.file)
        for _ in range(3):
            ends.writes.begin()
            data = encode(Result(value, 0.0, False, False, {"value": value}), ends.encoder)
            reply = ends.decoders.decode(data)
            assert isinstance(reply, Result)
            assert same(reply.observation, value)
            assert same(reply.info, {"value": value})


def test_a_large_array_is_not_in_the_message_and_is_the_callers_own(ends: Ends) -> None:
    kept = []
    for turn in range(3):
        ends.writes.begin()
        data = encode(Frame(PICTURE + turn), ends.encoder)
        assert len(data) < 200
        reply = ends.decoders.decode(data)
        assert isinstance(reply, Frame)
        reply.frame[0, 0] += 1
        kept.append(reply.frame)
    for turn, frame in enumerate(kept):
        assert frame[0, 0] == PICTURE[0, 0] + turn + 1
        assert same(frame[1], PICTURE[1] + turn)


def test_a_batch_is_not_copied_and_stands_until_the_one_after_the_next(ends: Ends) -> None:
    def turn(number: int, *, batch: bool = True) -> Any:
        ends.writes.begin()
        if not batch:
            return ends.views.decode(encode(Frame(PICTURE + number), ends.encoder))
        made = ends.writes.empty(PICTURE.shape, np.uint8)
        made[...] = PICTURE + number
        none = np.zeros(2, np.bool_)
        data = encode(VectorResult(made, np.zeros(2), none, none, {}), ends.encoder)
        assert len(data) < 300
        return ends.views.decode(data).observations  # type: ignore[union-attr]

    first = turn(1)
    assert turn(50, batch=False).frame[0, 0] == 50  # a picture between two steps
    second = turn(2)
    assert turn(60, batch=False).frame[0, 0] == 60
    assert same(first, PICTURE + 1)
    assert same(second, PICTURE + 2)
    third = turn(3)
    assert same(second, PICTURE + 2)
    assert same(third, PICTURE + 3)
    assert same(first, third), "it is written again"


def test_what_has_no_room_travels_in_the_message() -> None:
    ends = made(4 * LARGE)
    os.close(ends.file)
    many = [PICTURE + number for number in range(5)]
    ends.writes.begin()
    data = encode(Frame(many), ends.encoder)
    assert 3 * LARGE < len(data) < 4 * LARGE
    reply = ends.decoders.decode(data)
    assert isinstance(reply, Frame)
    assert same(reply.frame, many)


def _placed(place: int | bytes, shape: tuple[int, ...], code: int = codec._PLACED) -> Ext:
    where = place.to_bytes(8, "little") if isinstance(place, int) else place
    name = msgspec.msgpack.encode(("|u1", shape))
    return Ext(code, bytes([len(name)]) + name + where)


HOSTILE = {
    "beyond the end": [_placed(SIZE - LARGE + 64, (LARGE,))],
    "far beyond the end": [_placed(2**64 - 64, (LARGE,))],
    "larger than the file": [_placed(0, (SIZE + 1,))],
    "not aligned": [_placed(1, (LARGE,))],
    "no place": [_placed(b"", (LARGE,))],
    "half a place": [_placed(b"\0\0\0\0", (LARGE,))],
    "too often": [_placed(0, (SIZE // 4,)) for _ in range(5)],
    "of objects": [Ext(codec._PLACED, b"\5\x92\xa2|O\x90" + bytes(8))],
    "nothing": [Ext(codec._PLACED, b"")],
    "a batch beyond the end": [_placed(SIZE, (LARGE,), codec._BATCH)],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_places_that_are_lies_are_refused(name: str, ends: Ends) -> None:
    data = encode(Frame(None)).replace(b"\xc0", msgspec.msgpack.encode(HOSTILE[name]), 1)
    for decoders in (ends.views, ends.decoders) if name != "too often" else (ends.views,):
        with pytest.raises(CodecError):
            decoders.decode(data)
    with pytest.raises(CodecError):
        decode(data)  # where there is no memory at all


def test_the_other_end_cannot_take_the_memory_away(ends: Ends) -> None:
    """Reading what a hostile container cut off would end this process."""
    handed_over = os.dup(ends.file)
    for size in (0, SIZE // 2, 2 * SIZE):
        with pytest.raises(PermissionError):
            os.ftruncate(handed_over, size)
    ends.writes.begin()
    data = encode(Frame(PICTURE), ends.encoder)
    punched = ctypes.CDLL(None, use_errno=True).fallocate(
        handed_over, 3, ctypes.c_long(0), ctypes.c_long(SIZE)
    )
    assert punched == 0, os.strerror(ctypes.get_errno())
    reply = ends.decoders.decode(data)
    assert isinstance(reply, Frame)
    assert same(reply.frame, np.zeros_like(PICTURE))
    os.close(handed_over)


def _unsealed() -> int:
    file = os.memfd_create("unsealed", os.MFD_ALLOW_SEALING)
    os.ftruncate(file, SIZE)
    return file


def _ordinary() -> int:
    with tempfile.TemporaryFile() as file:
        file.truncate(SIZE)
        return os.dup(file.fileno())


def _tiny() -> int:
    file = make_file(1)
    assert file is not None
    return file


STRANGE = {
    "none": list,
    "two": lambda: [make_file(), make_file()],
    "not sealed": lambda: [_unsealed()],
    "an ordinary file": lambda: [_ordinary()],
    "a pipe": lambda: [(ends := os.pipe())[0], os.close(ends[1])][:1],
    "a socket": lambda: [socket.socket().detach()],
    "a folder": lambda: [os.open("/", os.O_RDONLY)],
    "an empty file": lambda: [make_file(0)],
}


@pytest.mark.parametrize("name", STRANGE)
def test_only_a_file_of_ours_is_written(name: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    assert map_for_writing(STRANGE[name]()) is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_tiny_file_is_never_written() -> None:
    memory = map_for_writing([_tiny()])
    assert memory is not None
    memory.begin()
    assert memory.put(PICTURE) is None
    assert memory.empty((LARGE,), np.uint8).shape == (LARGE,)
    memory.close()


@pytest.fixture
def link() -> Iterator[tuple[PipeLink, socket.socket]]:
    ours, theirs = socket.socketpair()
    pipe = PipeLink(Stream(ours), None, timeout=20.0, settings=LinkSettings())
    with theirs:
        yield pipe, theirs
        theirs.close()
        pipe.close()


def test_descriptors_that_nobody_asked_for_are_closed(
    link: tuple[PipeLink, socket.socket],
) -> None:
    pipe, theirs = link
    pipe.send(GetState())
    theirs.recv(1 << 16)
    before = len(os.listdir("/proc/self/fd"))
    data = encode(StateReply({"a": 1}, id=1))
    files = array.array("i", [theirs.fileno()] * 50)
    theirs.sendmsg(
        [len(data).to_bytes(4, "big") + data],
        [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)],
    )
    reply = pipe.receive(20.0)
    assert isinstance(reply, StateReply)
    assert reply.state == {"a": 1}
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("count", [0, 1, 3, 4, 50])
def test_descriptors_beside_the_first_message(count: int) -> None:
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    stream.set_timeout(20.0)
    stream.expect_descriptors()
    before = len(os.listdir("/proc/self/fd"))
    with theirs:
        files = array.array("i", [theirs.fileno()] * count)
        theirs.sendmsg(
            [b"\0\0\0\2hi"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)] * (count > 0)
        )
        assert bytes(stream.recv_bytes()) == b"hi"
        taken = stream.take_descriptors()
        assert len(taken) == min(count, 4)
        assert not any(map(os.get_inheritable, taken))
        for file in taken:
            os.close(file)
        assert len(os.listdir("/proc/self/fd")) == before
    stream.close()


def test_descriptors_again_and_again_end_the_connection() -> None:
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    stream.set_timeout(20.0)
    stream.expect_descriptors()
    before = len(os.listdir("/proc/self/fd"))
    with theirs:
        files = array.array("i", [theirs.fileno()] * 3)
        theirs.sendall(b"\0\0\0\7")
        thread = threading.Thread(
            target=lambda: [
                theirs.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
                for _ in range(3)
            ]
        )
        thread.start()
        with pytest.raises(OSError, match="descriptors"):
            stream.recv_bytes()
        thread.join(20.0)
    stream.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def _resident() -> int:
    """Kilobytes of memory files that this process has mapped and touched."""
    total, inside = 0, False
    with open("/proc/self/smaps") as lines:
        for line in lines:
            if "-" in line.split()[0] and ":" not in line.split()[0]:
                inside = "memfd:openenv-gym" in line
            elif inside and line.startswith("Rss:"):
                total += int(line.split()[1])
    return total


def test_observations_come_through_memory_and_are_the_same() -> None:
    size = 4 * LARGE
    with (
        OpenEnvGym(THREADED, transport="process", size=size) as there,
        OpenEnvGym(THREADED, size=size) as here,
    ):
        seen = []
        for env in (there, here):
            seen.append([env.reset(seed=3)[0], *(env.step(0)[0] for _ in range(4))])
        assert _resident() >= size // 1024
    assert same(*seen)
    assert all(observation["frame"].flags.writeable for observation in seen[0])


def test_without_descriptors_the_socket_carries_all() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    theirs, _ = listener.accept()
    with listener, theirs:
        pipe = PipeLink(Stream(ours), None, timeout=20.0, settings=LinkSettings())
        assert pipe._decoders is codec.PLAIN
        pipe.send(GetState())
        data = encode(StateReply({"picture": PICTURE}, id=1))
        theirs.sendall(len(data).to_bytes(4, "big") + data)
        reply = pipe.receive(20.0)
        assert isinstance(reply, StateReply)
        assert same(reply.state["picture"], PICTURE)
        theirs.close()
        pipe.close()


def test_heads_in_the_memory_are_those_of_messages() -> None:
    assert array_head(PICTURE) == array_head(PICTURE.copy())
