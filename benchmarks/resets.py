"""How long a reset takes, for environments with a bar on it.

    python benchmarks/resets.py [--only NAME ...] [--transport NAME] [--resets N] [--json FILE]

Prints a row for each: p50, p99 and the longest of N resets with other seeds, after one that is not
counted. Each is of an environment that has been stepped since the last one, where the row says by
what.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.cli.benchmark.report import publish


@dataclass(frozen=True)
class Case:
    """An environment.

    Attributes:
        name: How the row is called.
        id: Its id.
        bar: Seconds within which a reset is to be done.
        options: Its options.
        actions: What is done between two resets.
    """

    name: str
    id: str
    bar: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    actions: Sequence[Any] = ()


def _git(command: str, kind: int = 2) -> dict[str, Any]:
    place = {"repo_name": "garden", "target_dir": "", "working_dir": "garden"}
    return {"action_type": kind, **place, "command": command, "stdin": ""}


_PUSH = (_git("", 1), _git("commit --allow-empty -m 'More'"), _git("push origin HEAD HEAD:new"))

CASES = (
    Case("Coding", "openenv/Coding-v0", actions=("x = 1",)),
    Case("Git, a task by the seed", "openenv/Git-v0", 1.0),
    Case("Git, all repositories, after a push", "openenv/Git-v0", 1.0, {"task_id": "free"}, _PUSH),
)


def measure(case: Case, transport: str, resets: int) -> dict[str, Any]:
    """The row of a case."""
    env: gymnasium.Env[Any, Any] = gymnasium.make(case.id, transport=transport, **case.options)
    times = []
    try:
        for seed in range(resets + 1):
            began = perf_counter()
            env.reset(seed=seed)
            times.append(perf_counter() - began)
            for action in case.actions:
                env.step(action)
    finally:
        env.close()
    p50, p99, longest = np.quantile(times[1:], (0.5, 0.99, 1.0)).tolist()
    row = {"name": case.name, "id": case.id, "transport": transport, "bar_s": case.bar}
    return {**row, "resets": resets, "p50_s": p50, "p99_s": p99, "longest_s": longest}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", metavar="NAME", help="rows whose name begins so")
    parser.add_argument("--transport", default="inprocess", help="how they run (inprocess)")
    parser.add_argument("--resets", type=int, default=100, help="of each (100)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all of it")
    arguments = parser.parse_args()
    wanted = tuple(arguments.only or [""])
    console = Console(width=None if sys.stdout.isatty() else 100)
    table = Table("reset of", "p50, ms", "p99, ms", "longest, ms", "bar, ms")
    rows = []
    for case in CASES:
        if not case.name.startswith(wanted):
            continue
        with console.status(case.name):
            row = measure(case, arguments.transport, arguments.resets)
        rows.append(row)
        spans = (f"{1e3 * row[key]:.1f}" for key in ("p50_s", "p99_s", "longest_s"))
        table.add_row(row["name"], *spans, f"{1e3 * case.bar:g}" if case.bar else "")
    publish(console, table, rows, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
