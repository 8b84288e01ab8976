"""Waiting awake: for a message that is about to come, a process had better not go to sleep.

To wake it takes the kernel up to some tens of microseconds, as long as all else of a short step.
Awake it looks for the message again and again. That is of no use where the message takes longer
than that, and does harm where it is the sender that needs the core. Both show in the same way: the
message did not come while the process was awake. So :class:`Habit` counts how often it came.

In between it lets others run: two ends may share a core though another is free, until the scheduler
parts them. Where others want the core as well they get it for milliseconds, so that shows too.
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
_SHORTEST, _LONGEST = 1 / 16, 1.0  # seconds of a pause

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

    def learn(self, began: float, ended: float) -> None:
        """Notes how long a wait took, by ``perf_counter``, and decides about the next one."""
        if not self.awake:
            self.awake = ended >= self._wakes
        elif ended - began < self.limit:
            if self._trust < _TRUST:
                self._trust += LIMIT
                if self._trust >= _TRUST:
                    self._pause = _SHORTEST
        else:
            self._trust -= min(ended - began, _MOST)
            if self._trust <= 0:
                self.awake = False
                self._trust = _TRIAL
                # Of moments that divide by a long pause all divide by the shorter ones.
                self._wakes = ended - ended % self._pause + self._pause
                self._pause = min(2 * self._pause, _LONGEST)


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

    def recv_into(self, buffer: memoryview, /) -> int:
        """Receive what comes next, as that of a socket."""
        began: float = perf_counter()
        if self.habit.awake:
            self._stay_awake(began + self.habit.limit)
        got = self._recv_into(buffer)
        self.habit.learn(began, perf_counter())
        return got

    def rest_into(self, buffer: memoryview, /) -> int:
        """Receive what is on its way already: some of it awake, or all of it asleep."""
        if self.habit.awake:
            self._stay_awake(perf_counter() + LIMIT)
            return self._recv_into(buffer)
        return self._recv_into(buffer, 0, socket.MSG_WAITALL)

    def _stay_awake(self, end: float) -> None:
        """Until there is something to receive, or until then."""
        ready: Any = self._ready
        while not ready(0) and perf_counter() < end:
            _let_others_run()


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
