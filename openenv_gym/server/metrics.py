"""A server's numbers in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from openenv_gym.errors import missing_package

try:
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
except ImportError as error:
    raise missing_package("Metrics", str(error.name), "server") from error
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from openenv_gym.server.meter import BOUNDS, Histogram
from openenv_gym.server.sessions import Sessions

_PREFIX = "openenv_gym_"
_LABELS = ("environment",)


class Metrics(Collector):
    """The numbers of one server, in a registry of their own.

    Args:
        sessions: Those of the server.
    """

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._registry = CollectorRegistry()
        self._registry.register(self)
        ProcessCollector(registry=self._registry)

    def text(self) -> bytes:
        """Return all of them; may wait for a lock of the backend."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Implements Collector.collect."""
        sessions, meter = self._sessions, self._sessions.meter
        for name, text, value in (
            ("sessions", "Sessions that are open; each lane of a vector is one.", len(sessions)),
            ("sessions_limit", "Sessions that there may be.", sessions.max_sessions),
            ("requests_pending", "Requests that wait for their reply.", meter.pending),
            ("draining", "1 while the server is ending.", int(sessions.draining)),
        ):
            yield self._gauge(name, text, value)
        yield self._counter("sessions_opened", "Sessions that were begun.", meter.opened)
        yield self._counter("steps", "Steps, of all lanes.", meter.steps.lanes)
        yield self._counter("resets", "Resets, of all lanes.", meter.resets.lanes)
        yield self._histogram("step_seconds", "From a step's arrival to its reply.", meter.steps)
        yield self._histogram("reset_seconds", "From a reset's arrival to its reply.", meter.resets)
        errors = CounterMetricFamily(
            f"{_PREFIX}errors", "Requests that failed, by kind.", labels=(*_LABELS, "error")
        )
        for kind, count in meter.failures.items():
            errors.add_metric((sessions.environment, kind), count)
        yield errors
        if sessions.backend is not None:
            yield from self._of_backend(sessions.backend)

    def _of_backend(self, backend: Any) -> Iterator[Metric]:
        """Numbers that only a backend has: of its workers, and of sessions that wait ahead."""
        yield self._gauge("spare_sessions", "Sessions that were opened ahead.", backend.ready)
        statistics = getattr(backend.transport, "statistics", None)
        if statistics is None:
            return
        found = statistics()
        yield self._counter(
            "worker_restarts", "Workers that ended and were replaced.", found["replaced"]
        )
        labels = (*_LABELS, "worker")
        memory = GaugeMetricFamily(
            f"{_PREFIX}worker_memory_bytes", "Memory that a worker holds.", labels=labels
        )
        seats = GaugeMetricFamily(
            f"{_PREFIX}worker_sessions", "Sessions that a worker has.", labels=labels
        )
        for number, worker in enumerate(found["workers"]):
            values = (self._sessions.environment, str(number))
            memory.add_metric(values, worker["memory"])
            seats.add_metric(values, worker["sessions"])
        yield memory
        yield seats

    def _gauge(self, name: str, text: str, value: float) -> Metric:
        family = GaugeMetricFamily(f"{_PREFIX}{name}", text, labels=_LABELS)
        family.add_metric((self._sessions.environment,), value)
        return family

    def _counter(self, name: str, text: str, value: float) -> Metric:
        family = CounterMetricFamily(f"{_PREFIX}{name}", text, labels=_LABELS)
        family.add_metric((self._sessions.environment,), value)
        return family

    def _histogram(self, name: str, text: str, found: Histogram) -> Metric:
        family = HistogramMetricFamily(f"{_PREFIX}{name}", text, labels=_LABELS)
        bounds = (*map(str, BOUNDS), "+Inf")
        buckets = list(zip(bounds, accumulate(found.counts), strict=True))
        family.add_metric((self._sessions.environment,), buckets, found.seconds)
        return family
