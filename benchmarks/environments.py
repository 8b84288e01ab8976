"""What a step of each environment costs beside the library that it is made with.

    python benchmarks/environments.py [--quick] [--only NAME ...] [--transport NAME] [--json FILE]

Prints a row for each environment: steps per second through ``gymnasium.make`` and of the bare
library (``bare.py`` in the environment's folder), which makes the same observation and mask, and
their ratio. Both take turns, block by block; a ratio is the median of the ratios of blocks of the
same round. Steps and resets are timed, the choice of an action is not. Where there is room for one
in a process, all blocks of one come after those of the other.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from openenv_gym import registry
from openenv_gym.cli.benchmark.measure import (
    QUICK,
    Candidate,
    Effort,
    Measured,
    UnavailableError,
    measure,
    ratio,
)
from openenv_gym.cli.benchmark.report import publish
from openenv_gym.errors import OpenEnvGymError
from openenv_gym_envs.comparison import Comparison, Player, draw


def comparisons() -> Iterator[Comparison]:
    """Yield what the ``bare.py`` of the environments' folders compare."""
    for entry in registry.ENVIRONMENTS.values():
        yield from getattr(registry.part(entry, "bare"), "COMPARISONS", ())


class Ours(Player):
    """An environment of ours, as users step it."""

    def __init__(self, id: str, options: Mapping[str, Any], actions: Sequence[Any]) -> None:
        self._env: gymnasium.Env[Any, Any] = gymnasium.make(id, **options)
        self._actions = itertools.cycle(actions) if actions else None
        self._env.action_space.seed(0)
        self._rng = np.random.default_rng(0)
        self._seed: int | None = 0

    def reset(self) -> None:
        """Implements Player.reset."""
        _, self._info = self._env.reset(seed=self._seed)
        self._seed = None

    def choose(self) -> Any:
        """Implements Player.choose."""
        if self._actions is not None:
            return next(self._actions)
        mask = self._info.get("action_mask")
        return self._env.action_space.sample() if mask is None else draw(mask, self._rng)

    def step(self, action: Any) -> bool:
        """Implements Player.step."""
        _, _, terminated, truncated, self._info = self._env.step(action)
        return terminated or truncated

    def close(self) -> None:
        """Implements Player.close."""
        self._env.close()


class Played(Candidate):
    """A player, timed."""

    def __init__(self, name: str, make: Any) -> None:
        self.name = name
        self.passes = 1
        self._make = make
        self._player: Player | None = None

    def start(self) -> None:
        """Implements Candidate.start."""
        try:
            self._player = self._make()
        except (OpenEnvGymError, ImportError) as error:
            raise UnavailableError(str(error)) from error
        self._player.reset()

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block."""
        assert self._player is not None
        times = np.empty(steps, np.int64)
        spent = 0.0
        for number in range(steps):
            action = self._player.choose()
            began = perf_counter_ns()
            over = self._player.step(action)
            times[number] = perf_counter_ns() - began
            if over:
                began_reset = perf_counter()
                self._player.reset()
                spent += perf_counter() - began_reset
        return times, spent + float(times.sum()) / 1e9

    def close(self) -> None:
        """Implements Candidate.close."""
        if self._player is not None:
            self._player.close()


def compare(comparison: Comparison, transport: str, effort: Effort) -> dict[str, Any]:
    """The row of one environment."""

    def ours() -> Player:
        options = {"transport": transport, **comparison.options}
        return Ours(comparison.id, options, comparison.actions)

    both = [Played("ours", ours), Played("bare", comparison.bare)]
    measured: dict[str, Measured] = {}
    absent: dict[str, str] = {}
    for players in [[player] for player in both] if comparison.apart else [both]:
        found, missing = measure(players, effort)
        measured |= found
        absent |= missing
    row: dict[str, Any] = {"name": comparison.name, "id": comparison.id, "transport": transport}
    row |= {name: figures.row() for name, figures in measured.items() if not absent}
    if absent:
        row["absent"] = absent
    else:
        row["ratio"] = ratio(measured["ours"].rates, measured["bare"].rates)
        row["bar"] = comparison.bar
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look, not a measurement")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows whose name begins so")
    parser.add_argument("--transport", default="inprocess", help="of ours (inprocess)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all of it")
    arguments = parser.parse_args()
    wanted = tuple(arguments.only or [""])
    console = Console(width=None if sys.stdout.isatty() else 100)
    table = Table("environment", "ours, steps/s", "bare, steps/s", "ratio", "bar")
    rows = []
    for comparison in comparisons():
        if not comparison.name.startswith(wanted):
            continue
        with console.status(comparison.name):
            row = compare(comparison, arguments.transport, QUICK if arguments.quick else Effort())
        rows.append(row)
        if "absent" in row:
            table.add_row(row["name"], *row["absent"].values())
            continue
        bar = "" if row["bar"] is None else f">= {row['bar']}"
        speeds = (f"{row[name]['steps_per_s']:,.0f}" for name in ("ours", "bare"))
        table.add_row(row["name"], *speeds, f"{row['ratio']:.2f}", bar)
    publish(console, table, rows, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
