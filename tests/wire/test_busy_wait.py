"""Waiting awake: what a habit learns, whatever the clock says, and that bytes arrive either way."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from openenv_gym.wire.busy_wait import LANES_LIMIT, LIMIT, SPIN, AwakeLoop, AwakeSocket, Habit


class Clock:
    """Waits that take as long as they are told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def wait(self, habit: Habit, seconds: float) -> None:
        began, self.now = self.now, self.now + seconds
        habit.learn(began, self.now)

    def share_awake(self, habit: Habit, wait: float) -> float:
        """How many of the waits of two seconds are spent awake, where each takes so long."""
        waits = int(2 / wait)
        count = 0
        for _ in range(waits):
            count += habit.awake
            self.wait(habit, wait)
        return count / waits


@pytest.mark.parametrize(
    ("wait", "stays"),
    [(LIMIT / 4, True), (0.9 * LIMIT, True), (1.1 * LIMIT, False), (20 * LIMIT, False)],
)
def test_who_waits_for_what_comes_soon_stays_awake(wait: float, stays: bool) -> None:
    share = Clock().share_awake(Habit(), wait)
    assert share == 1.0 if stays else share < 0.1


def test_who_waits_for_many_lanes_stays_awake_longer() -> None:
    habit = Habit()
    habit.limit = LANES_LIMIT
    assert Clock().share_awake(habit, 0.9 * LANES_LIMIT) == 1.0
    assert Clock().share_awake(habit, 1.1 * LANES_LIMIT) < 0.1


def test_it_learns_anew() -> None:
    habit, clock = Habit(), Clock()
    assert clock.share_awake(habit, 1.3 * LIMIT) < 0.05
    assert clock.share_awake(habit, LIMIT / 4) > 0.8
    assert clock.share_awake(habit, LIMIT / 4) == 1.0
    assert clock.share_awake(habit, 1.3 * LIMIT) < 0.05


def test_the_longer_it_is_of_no_use_the_less_it_is_tried() -> None:
    habit, clock = Habit(), Clock()
    assert clock.share_awake(habit, 1.3 * LIMIT) > clock.share_awake(habit, 1.3 * LIMIT) > 0


def test_who_loses_the_core_to_others_sleeps_soon() -> None:
    """Most messages come in time, but now and then another process has the core for long."""
    habit, clock = Habit(), Clock()
    count = 0
    for number in range(1000):
        count += habit.awake
        seconds = LIMIT / 4
        if number % 10 == 9 and habit.awake:
            seconds = 3e-3
        began, clock.now = clock.now, clock.now + seconds
        habit.learn(began, clock.now, 3e-3 if seconds > LIMIT else 0.0)
    assert count < 300


def test_who_loses_it_rarely_stays_awake() -> None:
    habit, clock = Habit(), Clock()
    for _ in range(20):
        assert clock.share_awake(habit, LIMIT / 4) == 1.0
        began, clock.now = clock.now, clock.now + 3e-3
        habit.learn(began, clock.now, 3e-3)
    assert habit.awake


@pytest.mark.parametrize(("value", "awake"), [("0", False), ("1", True), (None, True)])
def test_a_variable_turns_it_off(
    value: str | None, awake: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SPIN, raising=False)
    if value is not None:
        monkeypatch.setenv(SPIN, value)
    assert (Clock().share_awake(Habit(), LIMIT / 4) > 0) is awake


def test_one_long_wait_changes_nothing() -> None:
    habit, clock = Habit(), Clock()
    clock.share_awake(habit, LIMIT / 4)
    clock.wait(habit, 10.0)
    assert clock.share_awake(habit, LIMIT / 4) == 1.0


def test_two_ends_that_fell_asleep_wake_up_together() -> None:
    one, other, clock = Habit(), Habit(), Clock()
    for habit, wait in ((one, 2 * LIMIT), (other, 30 * LIMIT)):
        clock.share_awake(habit, wait)
        while habit.awake:
            clock.wait(habit, wait)
    end = clock.now + 1.0
    while clock.now < end:
        for habit, sender in ((one, other), (other, one)):
            # Who waits for one that must wake up first waits for too long.
            clock.wait(habit, LIMIT / 4 if sender.awake else 1.1 * LIMIT)
    assert one.awake
    assert other.awake


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
        while begun < 300_000:
            begun += receiver.rest_into(buffer[begun:])
        thread.join(10.0)
        assert bytes(buffer) == b"\0" * 100_000 + b"\1" * 100_000 + b"\2" * 100_000


class Loop(asyncio.AbstractEventLoop):
    """An event loop whose calls are made by the test."""

    def __init__(self) -> None:
        self.calls: list[Callable[..., Any]] = []

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Any = None) -> Any:
        self.calls.append(callback)


def test_a_loop_stays_awake_for_so_long() -> None:
    loop = Loop()
    awake = AwakeLoop(loop)
    awake.replied()
    began = time.perf_counter()
    while loop.calls:
        loop.calls.pop()()
    assert time.perf_counter() - began > LIMIT / 2


def test_a_loop_sleeps_when_nothing_is_waited_for() -> None:
    loop = Loop()
    awake = AwakeLoop(loop)
    awake.replied()
    awake.arrived()
    loop.calls.pop()()
    assert not loop.calls


def test_a_loop_is_kept_awake_once_for_all_messages() -> None:
    loop = Loop()
    awake = AwakeLoop(loop)
    for _ in range(5):
        awake.arrived()
        awake.replied()
    assert len(loop.calls) == 1
