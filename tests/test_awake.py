"""Waiting awake: what a habit learns, whatever the clock says, and that bytes arrive either way."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from openenv_gym.awake import LIMIT, AwakeSocket, Habit


def share_awake(
    asleep: float, awake: float, waits: int = 2000, habit: Habit | None = None
) -> float:
    """How much of the waits is spent awake, where they take so long either way."""
    habit = habit or Habit()
    count = 0
    for _ in range(waits):
        count += habit.awake
        habit.learn(awake if habit.awake else asleep)
    return count / waits


@pytest.mark.parametrize(
    ("asleep", "awake", "stays"),
    [
        (45e-6, 20e-6, True),
        (30e-6, 85e-6, False),  # the sender needs the core
        (30e-6, 29e-6, False),  # as good as nothing is gained
        (0.5, 0.5, False),
        (5e-3, 1e-3, False),  # too long for either to matter
    ],
)
def test_the_better_way_is_taken(asleep: float, awake: float, stays: bool) -> None:
    share = share_awake(asleep, awake)
    assert share > 0.95 if stays else share < 0.05


def test_it_learns_anew() -> None:
    habit = Habit()
    assert share_awake(45e-6, 20e-6, habit=habit) > 0.95
    share_awake(30e-6, 85e-6, habit=habit)
    assert share_awake(30e-6, 85e-6, habit=habit) < 0.05
    share_awake(45e-6, 20e-6, waits=20_000, habit=habit)
    assert share_awake(45e-6, 20e-6, habit=habit) > 0.95


def test_one_long_wait_changes_little() -> None:
    habit = Habit()
    share_awake(45e-6, 20e-6, habit=habit)
    while not habit.awake:
        habit.learn(45e-6)
    habit.learn(10.0)
    assert share_awake(45e-6, 20e-6, habit=habit) > 0.8


@pytest.mark.parametrize("delay", [0.0, LIMIT / 2, 20 * LIMIT])
def test_bytes_arrive(delay: float) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        receiver = AwakeSocket(ours)
        buffer = memoryview(bytearray(16))

        def send() -> None:
            for number in range(200):
                time.sleep(delay)
                theirs.sendall(bytes([number]))

        thread = threading.Thread(target=send)
        thread.start()
        got = b""
        while len(got) < 200:
            got += bytes(buffer[: receiver.recv_into(buffer)])
        thread.join(10.0)
        assert got == bytes(range(200))
        theirs.shutdown(socket.SHUT_WR)
        assert receiver.recv_into(buffer) == 0


def test_the_rest_comes_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        receiver = AwakeSocket(ours)
        buffer = memoryview(bytearray(300_000))

        def send() -> None:
            for part in range(3):
                theirs.sendall(bytes([part]) * 100_000)
                time.sleep(0.02)

        thread = threading.Thread(target=send)
        thread.start()
        begun = receiver.recv_into(buffer)
        assert receiver.rest_into(buffer[begun:]) == 300_000 - begun
        thread.join(10.0)
        assert bytes(buffer) == b"\0" * 100_000 + b"\1" * 100_000 + b"\2" * 100_000
