"""Waiting awake: for a message that is about to come, a process had better not go to sleep.

To wake it takes the kernel up to some tens of microseconds, as long as all else of a short step.
Awake it looks for the message again and again. That is of no use where the message takes longer
than that, and does harm where it is the sender that needs the core. Both show in the same way: the
message did not come while the process was awake. So :class:`Habit` counts how often it came.

In between it lets others run: two ends may share a core though another is free, until the scheduler
parts them. Where others want the core as well they get it for milliseconds; one that wakes up does
not wait in their queue. So such a loss is set against what the messages save that come in time, and
where more processes compute than there are cores, it sleeps.
"""

from __future__ import annotations

import math
import os
import select
import socket
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

SPIN = "OPENENV_GYM_SPIN"
"""Variable whose value ``0`` turns waiting awake off, in this process and those that it starts."""

LIMIT = 200e-6
"""Seconds to stay awake for one message; so much is wasted at most, where it does not come."""

LANES_LIMIT = 500e-6
"""The same for who waits for a step of many lanes, which takes longer, and has nothing to do."""

_TRUST = 1 / 64  # seconds that messages may be late by before it sleeps
_TRIAL = _TRUST / 4  # the same, after a pause
_MOST = 1e-3  # of those for one message
_SAVED = 40e-6  # seconds that a message is earlier by where nobody has to wake up
_TURN = 500e-6  # seconds from which on others have had the core, and not the other end
_LONGEST_TURN = _TRUST / 2
_SHORTEST, _LONGEST = 1 / 16, 1.0  # seconds of a pause
_LONGEST_BUSY = 8.0  # seconds of one where others want the core

_let_others_run = getattr(os, "sched_yield", lambda: None)


class Habit:
    """Whether to stay awake while waiting, learnt from the waits before.

    Where too many messages do not come in time it sleeps for a while before it tries again, and
    each time for twice as long. Where one end sleeps, staying awake is of less use to the other. So
    both begin awake; and both try again at the same moments, by the clock that they have in common.

    Attributes:
        awake: What to do at the next wait.
        limit: Seconds to stay awake for one message.
    """

    def __init__(self) -> None:
        self.awake = os.environ.get(SPIN) != "0"
        self.limit = LIMIT
        self._trust = _TRUST
        self._pause = _SHORTEST
        self._wakes = 0.0 if self.awake else math.inf  # when the pause ends

    def learn(self, began: float, ended: float, lost: float = 0.0) -> None:
        """Notes how long a wait took, by ``perf_counter``, and decides about the next one.

        Args:
            began: When it began.
            ended: When the message was there.
            lost: Seconds of it in which others had the core.
        """
        if not self.awake:
            self.awake = ended >= self._wakes
        elif ended - began < self.limit:
            if self._trust < _TRUST:
                self._trust += _SAVED
                if self._trust >= _TRUST:
                    self._pause = _SHORTEST
        else:
            self._trust -= min(lost, _LONGEST_TURN) or min(ended - began, _MOST)
            if self._trust <= 0:
                self.awake = False
                self._trust = _TRIAL
                # Of moments that divide by a long pause all divide by the shorter ones.
                if lost:
                    self._pause = max(self._pause, _LONGEST)
                self._wakes = ended - ended % self._pause + self._pause
                self._pause = min(2 * self._pause, _LONGEST_BUSY if lost else _LONGEST)


class AwakeSocket:
    """Receives messages from a blocking socket; waits for the beginning of one awake, if that pays.

    Args:
        sock: The socket; it stays its owner's.

    Attributes:
        habit: Whether it waits so, and for how long.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._recv_into = sock.recv_into
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        self._ready = poll.poll
        self.habit = Habit()

    def recv_into(self, buffer: bytearray | memoryview, /) -> int:
        """Receive what comes next, as that of a socket."""
        began: float = perf_counter()
        lost = self._stay_awake(began, began + self.habit.limit) if self.habit.awake else 0.0
        got = self._recv_into(buffer)
        self.habit.learn(began, perf_counter(), lost)
        return got

    def rest_into(self, buffer: memoryview, /) -> int:
        """Receive what is on its way already: some of it awake, or all of it asleep."""
        if self.habit.awake:
            began: float = perf_counter()
            self._stay_awake(began, began + LIMIT)
            return self._recv_into(buffer)
        return self._recv_into(buffer, 0, socket.MSG_WAITALL)

    def wait(self) -> bool:
        """Wait awake, if that pays, and never asleep; return whether there is something now."""
        awake, began = self.habit.awake, perf_counter()
        lost = self._stay_awake(began, began + self.habit.limit) if awake else 0.0
        ended: float = perf_counter()
        self.habit.learn(began, ended, lost)
        return awake and ended - began < self.habit.limit

    def _stay_awake(self, now: float, end: float) -> float:
        """Until there is something to receive, or until then.

        Returns:
            Seconds in which others had the core.
        """
        ready: Any = self._ready
        lost = 0.0
        while not ready(0) and now < end:
            _let_others_run()
            before, now = now, perf_counter()
            if now - before > _TURN:
                lost += now - before
        return lost


class AwakeLoop:
    """Keeps an event loop from sleeping while the next message of a connection is about to come.

    Args:
        loop: The event loop.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._habit = Habit()
        self._waiting = 0.0  # since when; 0 for not at all
        self._running = False

    def replied(self) -> None:
        """The wait for the next message begins."""
        self._waiting = perf_counter()
        if self._habit.awake and not self._running:
            self._running = True
            self._loop.call_soon(self._stay_awake)

    def arrived(self) -> None:
        """A message is there, or its first part."""
        if self._waiting:
            self._habit.learn(self._waiting, perf_counter())
            self._waiting = 0.0

    def _stay_awake(self) -> None:
        self._running = perf_counter() < self._waiting + LIMIT
        if self._running:
            _let_others_run()
            self._loop.call_soon(self._stay_awake)
