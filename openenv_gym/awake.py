"""Waiting awake: for a message that is about to come, a process had better not go to sleep.

To wake it takes the kernel up to some tens of microseconds, as long as all else of a short step.
Awake it looks for the message again and again, and lets others run in between. That is of no use
where the message takes longer than a look is worth, and does harm where it is the sender that
needs the core. So :class:`Habit` learns which way waits were shorter, and now and then tries the
other one again.
"""

from __future__ import annotations

import os
import select
import socket
from time import perf_counter
from typing import Any

LIMIT = 100e-6
"""Seconds to stay awake for one message; so much is wasted at most, where it does not come."""

_GAIN = 0.85  # what waiting awake must bring: the core could do other things
_LONG = 3 * LIMIT  # longer waits are the same either way
_WEIGHT = 1 / 8  # of the last wait in a mean
_TRIAL, _TRIED = 128, 2  # of so many waits so many go the other way

let_others_run = getattr(os, "sched_yield", lambda: None)
"""Lets whoever waits for this core have it; the sender may be among them."""


class Habit:
    """Whether to stay awake while waiting, learnt from the waits before.

    Attributes:
        awake: What to do at the next wait.
    """

    def __init__(self) -> None:
        self.awake = False
        self._mean_awake = self._mean_asleep = 0.0
        self._waits = 0

    def learn(self, seconds: float) -> None:
        """Notes how long a wait took, and decides about the next one."""
        seconds = min(seconds, _LONG)
        if self.awake or seconds == _LONG:
            self._mean_awake += _WEIGHT * (seconds - self._mean_awake)
        if not self.awake or seconds == _LONG:
            self._mean_asleep += _WEIGHT * (seconds - self._mean_asleep)
        self._waits += 1
        better = self._mean_awake < _GAIN * self._mean_asleep
        self.awake = better != (self._waits % _TRIAL < _TRIED)


class AwakeSocket:
    """Receives messages from a blocking socket; waits for the beginning of one awake, if that pays.

    Args:
        sock: The socket; it stays its owner's.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._recv_into = sock.recv_into
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        self._ready = poll.poll
        self._habit = Habit()

    def recv_into(self, buffer: memoryview, /) -> int:
        """Receives what comes next, as that of a socket."""
        began: float = perf_counter()
        if self._habit.awake:
            ready: Any = self._ready
            while not ready(0) and perf_counter() - began < LIMIT:
                let_others_run()
        got = self._recv_into(buffer)
        self._habit.learn(perf_counter() - began)
        return got

    def rest_into(self, buffer: memoryview, /) -> int:
        """Receives what is on its way already: all of it, unless the wait takes too long."""
        return self._recv_into(buffer, 0, socket.MSG_WAITALL)
