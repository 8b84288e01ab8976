"""Frames that are answered where they arrive, and those that are not."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Open, Reply, Request, Reset, Result, Step
from openenv_gym.wire.names import SUBPROTOCOL
from tests.environments import INLINE, THREADED
from tests.servers import Served, serving


@contextmanager
def connected(served: Served) -> Iterator[ClientConnection]:
    with connect(
        served.url("websocket") + "/ws",
        subprotocols=[SUBPROTOCOL],  # type: ignore[list-item]
        additional_headers={"x-session-id": secrets.token_urlsafe(24)},
        compression=None,
    ) as connection:
        yield connection


@contextmanager
def conversation(environment: str) -> Iterator[ClientConnection]:
    with serving(environment) as served, connected(served) as connection:
        yield connection


def encoded(number: int, message: Request) -> bytes:
    message.id = number
    return encode(message)


def received(connection: ClientConnection) -> Reply:
    data = connection.recv(timeout=10.0)
    assert isinstance(data, bytes)
    reply = decode(data)
    assert isinstance(reply, Reply)
    return reply


@pytest.mark.parametrize("environment", [INLINE, THREADED])
def test_replies_keep_the_order_of_requests_sent_ahead(environment: str) -> None:
    """A step that could be answered at once waits for the reply to what came before it."""
    messages: list[Request] = [Open(environment, {"slow": 0.3}, None), Reset(0, None)]
    messages += [Step(0) for _ in range(20)] + [Reset(1, None)] + [Step(0) for _ in range(3)]
    with conversation(environment) as connection:
        for number, message in enumerate(messages, 1):
            connection.send(encoded(number, message))
        replies = [received(connection) for _ in messages]
    assert [reply.id for reply in replies] == list(range(1, len(messages) + 1))
    counts = [r.observation["count"] for r in replies if isinstance(r, Result)]
    assert counts == [*range(21), *range(4)]


def test_a_step_in_fragments() -> None:
    with conversation(INLINE) as connection:
        for number, message in enumerate([Open(INLINE, {}, None), Reset(0, None)], 1):
            connection.send(encoded(number, message))
            received(connection)
        data = encoded(3, Step(0))
        connection.send([data[:4], data[4:]])
        reply = received(connection)
        assert isinstance(reply, Result)
        assert reply.observation["count"] == 1
        # And one whole after it.
        connection.send(encoded(4, Step(0)))
        assert received(connection).id == 4


@pytest.mark.parametrize("cuts", [(), (1,), (5,), (20,), (30, 31, 33)], ids=str)
def test_bytes_in_any_pieces(cuts: tuple[int, ...]) -> None:
    """Pieces that are no frames, and more than one frame in a piece."""
    with conversation(INLINE) as connection:
        for number, message in enumerate([Open(INLINE, {}, None), Reset(0, None)], 1):
            connection.send(encoded(number, message))
            received(connection)
        frames = [Frame(Opcode.BINARY, encoded(n, Step(0))) for n in range(3, 6)]
        data = b"".join(frame.serialize(mask=True) for frame in frames)
        for start, end in pairwise((0, *cuts, len(data))):
            connection.socket.sendall(data[start:end])
            time.sleep(0.02)  # so that it is read alone
        for number in range(3, 6):
            reply = received(connection)
            assert isinstance(reply, Result)
            assert (reply.id, reply.observation["count"]) == (number, number - 2)
        connection.send(encoded(6, Step(0)))
        assert received(connection).id == 6


def test_pings_between_steps() -> None:
    with conversation(INLINE) as connection:
        for number, message in enumerate([Open(INLINE, {}, None), Reset(0, None)], 1):
            connection.send(encoded(number, message))
            received(connection)
        for number in range(3, 6):
            assert connection.ping().wait(10.0)
            connection.send(encoded(number, Step(0)))
            assert received(connection).id == number


def test_what_is_no_message_is_refused_and_the_next_step_goes_on() -> None:
    with conversation(INLINE) as connection:
        for number, message in enumerate([Open(INLINE, {}, None), Reset(0, None)], 1):
            connection.send(encoded(number, message))
            received(connection)
        connection.send(b"\xff\x00")
        assert "CodecError" in repr(received(connection))
        connection.send(encoded(3, Step(0)))
        assert received(connection).id == 3


@pytest.mark.parametrize("way", ["with a pong", "in halves", "byte by byte", "in fragments"])
def test_after_any_other_chunk_steps_are_answered_where_they_arrive_again(way: str) -> None:
    """A server pings a client that is quiet, and the answer comes together with the next step."""
    with serving(INLINE) as served, connected(served) as connection:
        for number, message in enumerate([Open(INLINE, {}, None), Reset(0, None)], 1):
            connection.send(encoded(number, message))
            received(connection)
        step = encoded(3, Step(0))
        frame = Frame(Opcode.BINARY, step).serialize(mask=True)
        if way == "with a pong":
            frame = Frame(Opcode.PONG, b"late").serialize(mask=True) + frame
        if way == "in fragments":
            frame = b"".join(
                part.serialize(mask=True)
                for part in (
                    Frame(Opcode.BINARY, step[:4], fin=False),
                    Frame(Opcode.PING, b"between"),
                    Frame(Opcode.CONT, step[4:]),
                )
            )
        sizes = {"in halves": len(frame) // 2, "byte by byte": 1}
        size = sizes.get(way, len(frame))
        for start in range(0, len(frame), size):
            connection.socket.sendall(frame[start : start + size])
            time.sleep(0.005)  # so that it is read alone
        assert received(connection).id == 3

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(served.sessions, "submit", None)  # what the application would call
            for number in range(4, 8):
                connection.send(encoded(number, Step(0)))
                assert received(connection).id == number
