"""A stream: whole messages within a deadline, whatever the other end does."""

from __future__ import annotations

import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator

import pytest

from openenv_gym.errors import ExchangeTimeoutError, ProtocolError
from openenv_gym.transport import LinkSettings
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import GetState, StateReply
from openenv_gym.wire.names import MAX_MESSAGE
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.links.pipe import PipeLink

LIMIT = 0.3
PATIENCE = 10 * LIMIT


@pytest.fixture
def ends() -> Iterator[tuple[Stream, socket.socket]]:
    ours, theirs = socket.socketpair()
    stream = Stream(ours)
    with theirs:
        yield stream, theirs
        stream.close()


def drip(sock: socket.socket, data: bytes, pause: float = LIMIT / 3) -> threading.Event:
    """Send one byte after the other, until the event that is returned."""
    enough = threading.Event()

    def run() -> None:
        for byte in data:
            if enough.wait(pause):
                return
            try:
                sock.sendall(bytes([byte]))
            except OSError:
                return

    threading.Thread(target=run, daemon=True).start()
    return enough


@pytest.mark.parametrize("data", [struct.pack("!I", 100) + b"x" * 100, b"\0\0\0"])
def test_a_message_that_drips_ends_in_time(ends: tuple[Stream, socket.socket], data: bytes) -> None:
    stream, theirs = ends
    stream.set_timeout(LIMIT)
    begin, enough = time.monotonic(), drip(theirs, data)
    with pytest.raises(BlockingIOError):
        stream.recv_bytes()
    enough.set()
    assert time.monotonic() - begin < PATIENCE


def test_the_rest_of_a_late_message_is_not_lost(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    stream.set_timeout(LIMIT / 10)
    theirs.sendall(struct.pack("!I", 6) + b"abc")
    with pytest.raises(BlockingIOError):
        stream.recv_bytes()
    theirs.sendall(b"def" + struct.pack("!I", 1) + b"g")
    assert [bytes(stream.recv_bytes()) for _ in range(2)] == [b"abcdef", b"g"]


def test_memory_grows_with_what_came_and_not_with_what_was_announced(
    ends: tuple[Stream, socket.socket],
) -> None:
    stream, theirs = ends
    stream.set_timeout(LIMIT / 10)
    tracemalloc.start()
    try:
        theirs.sendall(struct.pack("!I", MAX_MESSAGE) + b"x" * 1000)
        with pytest.raises(BlockingIOError):
            stream.recv_bytes()
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()
    theirs.sendall(b"x")  # it is still the same message
    with pytest.raises(BlockingIOError):
        stream.recv_bytes()


def test_more_than_may_be_announced(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    theirs.sendall(struct.pack("!I", MAX_MESSAGE + 1))
    with pytest.raises(ProtocolError, match="was announced"):
        stream.recv_bytes()


def test_a_large_message_arrives_in_parts(ends: tuple[Stream, socket.socket]) -> None:
    stream, theirs = ends
    stream.set_timeout(30.0)
    data = bytes(range(256)) * (200 << 10)  # 50 MiB: more than is made room for at once
    sender = Stream(theirs.dup())
    sender.set_timeout(30.0)
    thread = threading.Thread(target=sender.send_bytes, args=(data,))
    thread.start()
    assert stream.recv_bytes() == data
    thread.join()
    sender.close()


def test_who_takes_nothing_holds_a_sender_no_longer_than_the_limit(
    ends: tuple[Stream, socket.socket],
) -> None:
    stream, _ = ends
    stream.set_timeout(LIMIT)
    begin = time.monotonic()
    with pytest.raises(BlockingIOError):
        stream.send_bytes(bytes(8 << 20))
    assert time.monotonic() - begin < PATIENCE


def test_late_replies_without_end(ends: tuple[Stream, socket.socket]) -> None:
    """Each is that of an earlier request, and is passed over; but not forever."""
    stream, theirs = ends
    link = PipeLink(stream, None, timeout=LIMIT, settings=LinkSettings())
    link.send(GetState())
    late = encode(StateReply({}, id=0))
    message = struct.pack("!I", len(late)) + late
    enough = drip_messages(theirs, message)
    begin = time.monotonic()
    with pytest.raises(ExchangeTimeoutError):
        link.receive(LIMIT)
    enough.set()
    assert time.monotonic() - begin < PATIENCE


def drip_messages(sock: socket.socket, message: bytes) -> threading.Event:
    """Send a message again and again, until the event that is returned."""
    enough = threading.Event()

    def run() -> None:
        while not enough.wait(LIMIT / 10):
            sock.sendall(message)

    threading.Thread(target=run, daemon=True).start()
    return enough
