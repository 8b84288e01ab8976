"""How long 1, 8 and 32 environments take from ``make_vec`` to the end of the first reset.

    python benchmarks/start.py [--quick] [--only NAME ...] [--workers N] [--json FILE]

Connect4, by each transport, in turn, round after round; the lanes are spread over 8 workers at most
(``--workers``), which start side by side. The ratio is to one environment of the same transport:
the median of the ratios of the rounds.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from statistics import median
from time import perf_counter

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from openenv_gym.cli.benchmark.measure import ratio
from openenv_gym.cli.benchmark.report import publish
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.vector import OpenEnvVectorEnv

ENVIRONMENT = "connect4"
COUNTS = (1, 8, 32)
TRANSPORTS = ("inprocess", "process", "websocket", "docker")
BAR = ("docker", 32, 3.0)
"""A transport, lanes, and how many times one environment they may take at most."""


def start(transport: str, lanes: int, workers: int) -> float:
    """Seconds until the first reset is done."""
    began = perf_counter()
    envs = OpenEnvVectorEnv(
        ENVIRONMENT, num_envs=lanes, workers=min(lanes, workers), transport=transport
    )
    try:
        envs.reset(seed=0)
        return perf_counter() - began
    finally:
        envs.close()


def measure(
    transports: list[str], workers: int, rounds: int
) -> tuple[dict[tuple[str, int], list[float]], dict[str, str]]:
    """Seconds of each round, and why a transport is not there; the first round is not counted."""
    samples: dict[tuple[str, int], list[float]] = {}
    absent: dict[str, str] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=(rounds + 1) * len(transports) * len(COUNTS))
        for turn in range(rounds + 1):
            for transport in transports:
                for lanes in COUNTS:
                    progress.update(task, advance=1, description=f"{lanes} by {transport}")
                    if transport in absent:
                        continue
                    try:
                        spent = start(transport, lanes, workers)
                    except OpenEnvGymError as error:
                        absent[transport] = str(error).splitlines()[0]
                        continue
                    if turn:
                        samples.setdefault((transport, lanes), []).append(spent)
    return samples, absent


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of five")
    parser.add_argument("--only", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--workers", type=int, metavar="N", default=8)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    samples, absent = measure(given.only, given.workers, 1 if given.quick else 5)
    table = Table(title="milliseconds from make_vec to the first reset", title_justify="left")
    for column in ("transport", "lanes", "workers", "median", "fastest", "times one", "bar"):
        table.add_column(column, justify="left" if column == "transport" else "right")
    rows = []
    for (transport, lanes), spent in samples.items():
        times = ratio(spent, samples[transport, 1])
        workers = min(lanes, given.workers)
        bar = f"at most {BAR[2]:g}" if (transport, lanes) == BAR[:2] else ""
        cells = [f"{1e3 * median(spent):.0f}", f"{1e3 * min(spent):.0f}", f"{times:.2f}", bar]
        table.add_row(transport, str(lanes), str(workers), *cells)
        rows.append(
            {
                "transport": transport,
                "lanes": lanes,
                "workers": workers,
                "seconds": spent,
                "times_one": times,
            }
        )
    console = Console(width=None if sys.stdout.isatty() else 120)
    publish(console, table, rows, given.json)
    for transport, reason in absent.items():
        console.print(f"not measured: {transport}: {reason}", style="yellow", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
