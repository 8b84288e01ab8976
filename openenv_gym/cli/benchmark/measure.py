"""Candidates, measured in turn, block by block."""

from __future__ import annotations

import contextlib
import gc
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from openenv_gym.cli.benchmark.cpu import CpuClock, busy_processes

_SHORTEST = 5  # steps of a block


class UnavailableError(Exception):
    """A candidate cannot run here; the message says why."""


class Candidate(ABC):
    """Something that can be stepped.

    Attributes:
        name: How it is called.
        pause: Seconds of work between two steps, if it can do some.
        passes: How often a block makes its steps.
        container: Id of the container that it has, if it has one.
    """

    name: str
    pause: float = 0.0
    passes: int = 2
    container: str | None = None

    @abstractmethod
    def start(self) -> None:
        """Starts what it needs, up to the first step.

        Raises:
            UnavailableError: It cannot run here.
        """

    @abstractmethod
    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Makes so many steps one by one, and as many in a row.

        Returns:
            Nanoseconds of each of the first; seconds of the others together, resets included, and
            pauses left out.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends what it started."""


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Attributes:
        rounds: Blocks of each candidate.
        seconds: Length that a block is to have, of which there are two a round.
        steps: The most that a block has.
        warm_up: Seconds of steps that are not counted.
        busy: Other processes that compute meanwhile.
        pause: Seconds of work between two steps.
    """

    rounds: int = 15
    seconds: float = 0.15
    steps: int = 4000
    warm_up: float = 0.3
    busy: int = 0
    pause: float = 0.0


QUICK = Effort(rounds=3, seconds=0.02, steps=200, warm_up=0.02)


@dataclass
class Measured:
    """All that was measured of one candidate.

    Attributes:
        times: Nanoseconds of each step, by block.
        rates: Steps per second, by block.
        cpu: Seconds of the processors' time for a step at both ends, by block; pauses left out.
    """

    times: list[NDArray[np.int64]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Its figures: microseconds per step, steps per second; medians of the blocks too."""
        times = np.concatenate(self.times) / 1e3
        p10, p50, p99 = np.percentile(times, [10, 50, 99])
        return {
            "p10_us": float(p10),
            "p50_us": float(p50),
            "p99_us": float(p99),
            "steps_per_s": float(np.median(self.rates)),
            "cpu_s_per_million": float(np.mean(self.cpu)) * 1e6,
            "block_cpu_us": [seconds * 1e6 for seconds in self.cpu],
            "steps": len(times),
            "percentiles_us": np.percentile(times, range(101)).round(3).tolist(),
            "block_p50_us": [float(np.median(block)) / 1e3 for block in self.times],
            "block_steps_per_s": self.rates,
        }


def measure(
    candidates: Sequence[Candidate],
    effort: Effort,
    progress: Callable[[str], None] = lambda name: None,
) -> tuple[dict[str, Measured], dict[str, str]]:
    """Measures candidates in turn.

    All are started first, and idle while another has its turn.

    Args:
        candidates: In the order of the turns, which begins elsewhere each round.
        effort: How much.
        progress: Called with the name of the candidate after each start and each block.

    Returns:
        What was measured, by name; and why the others could not be, by name.
    """
    measured: dict[str, Measured] = {}
    absent: dict[str, str] = {}
    ready: list[tuple[Candidate, int]] = []
    with contextlib.ExitStack() as stack:
        stack.enter_context(busy_processes(effort.busy))
        for candidate in candidates:
            try:
                stack.callback(candidate.close)
                candidate.pause = effort.pause
                candidate.start()
            except UnavailableError as error:
                absent[candidate.name] = str(error)
                continue
            ready.append((candidate, _block_size(candidate, effort)))
            measured[candidate.name] = Measured()
            progress(candidate.name)
        for turn in range(effort.rounds):
            first = turn % len(ready) if ready else 0
            for candidate, steps in ready[first:] + ready[:first]:
                gc.collect()
                clock = CpuClock(candidate.container)
                began = clock.seconds()
                times, seconds = candidate.block(steps)
                spent = (clock.seconds() - began) / (steps * candidate.passes)
                measured[candidate.name].cpu.append(spent - candidate.pause)
                measured[candidate.name].times.append(times)
                measured[candidate.name].rates.append(steps / seconds)
                progress(candidate.name)
    return measured, absent


def _block_size(candidate: Candidate, effort: Effort) -> int:
    """Warms it up; how many steps make a block."""
    steps, spent = _SHORTEST, 0.0
    while True:
        began = perf_counter()
        times, _ = candidate.block(steps)
        spent += perf_counter() - began
        each = float(np.median(times)) + candidate.pause * 1e9
        fitting = int(effort.seconds * 1e9 / max(each, 1.0))
        if spent >= effort.warm_up:
            return min(max(fitting, _SHORTEST), effort.steps)
        steps = min(2 * steps, max(fitting, _SHORTEST), effort.steps)


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of two candidates' blocks of the same round."""
    return float(np.median(np.asarray(above) / np.asarray(below)))
