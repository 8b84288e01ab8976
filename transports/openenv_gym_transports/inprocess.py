"""In process: the session is called directly. No bytes, no copies, no thread."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from time import perf_counter_ns
from typing import Any, ClassVar

from openenv_gym.sessions.session import Session
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.messages import Open, OpenVector, Reply, Request, StepOutcome
from openenv_gym.wire.timing import Stopwatch, Timing


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class InProcessTransport(Transport):
    """Runs the environment on the caller's thread: the link is the session itself.

    Nothing is between it and this process: use another transport for code that is not trusted.

    Args:
        timeout: Accepted as by the other transports; a call cannot be timed out.
        start_timeout: Likewise.
    """

    name: ClassVar[str] = "inprocess"

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open."""
        watch = settings.stopwatch
        session = Session() if watch is None else _TimedSession(watch)
        try:
            session.handle(request)
        except BaseException:
            with contextlib.suppress(Exception):  # why it failed matters more
                session.close()
            raise
        return session


class _TimedSession(Session):
    """A session that times its requests.

    Args:
        stopwatch: Keeps the times.
    """

    def __init__(self, stopwatch: Stopwatch) -> None:
        super().__init__()
        self._stopwatch = stopwatch

    def exchange(self, request: Request) -> Reply:
        """Implements Link.exchange."""
        begun = perf_counter_ns()
        reply = self.handle(request)
        self._stopwatch.last = Timing(0, 0, 0, perf_counter_ns() - begun, 0)
        return reply

    def step(self, action: Any) -> StepOutcome:
        """Implements Link.step."""
        begun = perf_counter_ns()
        outcome = super().step(action)
        self._stopwatch.last = Timing(0, 0, 0, perf_counter_ns() - begun, 0)
        return outcome
