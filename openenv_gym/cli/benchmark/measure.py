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

_SHORTEST = 5  # steps of a block


class UnavailableError(Exception):
    """A candidate cannot run here; the message says why."""


class Candidate(ABC):
    """Something that can be stepped.

    Attributes:
        name: How it is called.
    """

    name: str

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
            Nanoseconds of each of the first; seconds of the others together, resets included.
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
    """

    rounds: int = 15
    seconds: float = 0.15
    steps: int = 4000
    warm_up: float = 0.3


QUICK = Effort(rounds=3, seconds=0.02, steps=200, warm_up=0.02)


@dataclass
class Measured:
    """All that was measured of one candidate.

    Attributes:
        times: Nanoseconds of each step, by block.
        rates: Steps per second, by block.
    """

    times: list[NDArray[np.int64]] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def row(self) -> dict[str, Any]:
        """Its figures: microseconds per step, steps per second; medians of the blocks too."""
        times = np.concatenate(self.times) / 1e3
        p10, p50, p99 = np.percentile(times, [10, 50, 99])
        return {
            "p10_us": float(p10),
            "p50_us": float(p50),
            "p99_us": float(p99),
            "steps_per_s": float(np.median(self.rates)),
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
        for candidate in candidates:
            try:
                stack.callback(candidate.close)
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
                times, seconds = candidate.block(steps)
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
        fitting = int(effort.seconds * 1e9 / max(float(np.median(times)), 1.0))
        if spent >= effort.warm_up:
            return min(max(fitting, _SHORTEST), effort.steps)
        steps = min(2 * steps, max(fitting, _SHORTEST), effort.steps)


def ratio(above: Sequence[float], below: Sequence[float]) -> float:
    """The median of the ratios of two candidates' blocks of the same round."""
    return float(np.median(np.asarray(above) / np.asarray(below)))
