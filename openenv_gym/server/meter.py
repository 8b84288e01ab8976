"""A meter: what the sessions of one server did, counted where it happens.

The numbers are plain attributes, and all but failures are counted on the event loop alone, so that
a step costs no lock. Prometheus' package is only needed to show them
(:mod:`~openenv_gym.server.metrics`).
"""

from __future__ import annotations

import math
import threading
from bisect import bisect_left
from collections import Counter
from itertools import accumulate
from typing import Any

from openenv_gym.errors import OpenEnvGymError
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Reply, Request, Reset, ResetVector, Step, StepVector

BOUNDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds of the buckets of a histogram, in seconds; a last bucket has no bound."""


_SHORT = BOUNDS[0]


class Histogram:
    """How long requests of one kind took.

    Attributes:
        counts: How many, by bucket.
        seconds: How long all of them took together.
        lanes: How many environments they were for: a vector's request is for each of its lanes.
    """

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0
        self.lanes = 0

    def quantile(self, part: float) -> float | None:
        """Return the seconds that a part of the requests, such as 0.99, did not exceed.

        That is the bound of a bucket; infinity where it has none, None before the first request.
        """
        wanted = part * sum(self.counts)
        if not wanted:
            return None
        reached = accumulate(self.counts)
        return next(b for b, n in zip((*BOUNDS, math.inf), reached, strict=True) if n >= wanted)


class Meter:
    """Counts for the sessions of one server.

    Attributes:
        opened: Sessions that were begun.
        pending: Requests that were taken and not answered yet.
        steps: How long steps took, from their arrival to their reply.
        resets: Likewise resets.
    """

    def __init__(self) -> None:
        self.opened = 0
        self.pending = 0
        self.steps = Histogram()
        self.resets = Histogram()
        self._failures: Counter[str] = Counter()
        self._lock = threading.Lock()  # sessions fail on their own threads
        self._histograms: dict[type[Any], Histogram] = {
            Step: self.steps,
            StepVector: self.steps,
            Reset: self.resets,
            ResetVector: self.resets,
        }

    def observe(self, kind: type[Any], seconds: float, lanes: int) -> None:
        """Count a request that was answered; those that are neither step nor reset are left out."""
        histogram = self._histograms.get(kind)
        if histogram is not None:
            bucket = 0 if seconds <= _SHORT else bisect_left(BOUNDS, seconds)
            histogram.counts[bucket] += 1
            histogram.seconds += seconds
            histogram.lanes += lanes

    def failed(self, error: BaseException) -> None:
        """Count a failure, by the name of its class where that is one of ours."""
        kind = type(error).__name__ if isinstance(error, OpenEnvGymError) else "Exception"
        with self._lock:
            self._failures[kind] += 1

    @property
    def failures(self) -> dict[str, int]:
        """How many requests failed, by the kind of the error."""
        with self._lock:
            return dict(self._failures)


class MeteredSession(Session):
    """A session that counts its failures.

    Args:
        meter: Where they are counted.
        **keywords: Those of Session.

    Attributes:
        failures: How many of its requests failed.
    """

    def __init__(self, meter: Meter, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._meter = meter
        self.failures = 0

    def handle(self, request: Request) -> Reply:
        """Like the base method, but counts a failure."""
        try:
            return Session.handle(self, request)  # quicker than super(), on each step
        except BaseException as error:
            self._meter.failed(error)
            self.failures += 1
            raise
