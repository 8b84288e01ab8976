"""One run of the measurement, from the command line to the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from openenv_gym import registry
from openenv_gym.cli.benchmark import candidates, machine
from openenv_gym.cli.benchmark.measure import QUICK, Candidate, Effort, Measured, measure
from openenv_gym.cli.benchmark.report import FORMAT, RAW, Bar, compare, load, save, show
from openenv_gym.cli.benchmark.workloads import WORKLOADS, Workload, register
from openenv_gym.errors import OptionError, missing_package

Peers = Callable[[Workload], list[Candidate]]

_WIDTH = 110  # where the output is not a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--quick", action="store_true", help="a look, in seconds; not to be quoted")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        default=[],
        help=f"workloads ({', '.join(WORKLOADS)}) and candidates "
        f"({', '.join(registry.TRANSPORTS)}, 'raw tcp', ...) to measure (all)",
    )
    parser.add_argument(
        "--unwrapped", action="store_true", help="without the wrappers of gymnasium.make"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="blocks of each candidate")
    parser.add_argument(
        "--busy", type=int, metavar="N", default=0, help="beside N other processes that compute"
    )
    parser.add_argument(
        "--pause",
        type=float,
        metavar="MS",
        default=0.0,
        help="compute MS milliseconds between two steps, as a trainer does",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    parser.add_argument(
        "--compare",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="compare with an earlier report of this machine; two files: these, measuring nothing",
    )
    parser.add_argument("--plot", type=Path, metavar="DIR", help="draw figures, as PNG and SVG")


def run(
    arguments: argparse.Namespace,
    *,
    peers: Peers = lambda workload: [],
    bars: Sequence[Bar] = (),
) -> int:
    """Measures, and says what came out.

    Args:
        arguments: Those of :func:`add_arguments`.
        peers: Makes further candidates for a workload.
        bars: What is to be reached.

    Raises:
        OptionError: The reports to compare are of different machines, or ``--only`` names what
            there is not.
    """
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    earlier = [load(path) for path in arguments.compare or ()]
    if len(earlier) > 2:
        raise OptionError("--compare takes one file, or two.", files=len(earlier))
    if len(earlier) == 2:
        compare(console, *earlier)
        return 0
    if earlier and earlier[0]["machine"]["fingerprint"] != machine.describe()["fingerprint"]:
        raise OptionError(
            f"{arguments.compare[0]} was measured on another machine, whose figures cannot be "
            "compared with those of this one: measure it here first, with --json.",
            path=str(arguments.compare[0]),
        )
    report = _report(arguments, peers, bars)
    show(console, report)
    if arguments.json:
        save(arguments.json, report)
    if earlier:
        compare(console, earlier[0], report)
    if arguments.plot:
        for path in _plots(report, arguments.plot):
            console.print(f"wrote {path}", highlight=False)
    return 0


def _report(arguments: argparse.Namespace, peers: Peers, bars: Sequence[Bar]) -> dict[str, Any]:
    register()
    effort = QUICK if arguments.quick else Effort()
    effort = replace(
        effort,
        rounds=arguments.rounds or effort.rounds,
        busy=arguments.busy,
        pause=arguments.pause / 1e3,
    )
    described = machine.describe()  # before: our own load is not of interest
    rows: list[dict[str, Any]] = []
    absent: list[dict[str, Any]] = []
    for workload, chosen in _chosen(arguments, peers):
        found, missing = measured(workload.name, chosen, effort)
        named = {"workload": workload.name}
        rows += [{**named, "candidate": name, **m.row()} for name, m in found.items()]
        absent += [{**named, "candidate": name, "reason": why} for name, why in missing.items()]
    return {
        "format": FORMAT,
        "machine": described,
        "settings": {**vars(effort), "quick": arguments.quick, "unwrapped": arguments.unwrapped},
        "rows": rows,
        "absent": absent,
        "bars": [bar.judge(rows) for bar in bars if _asked(bar, effort, [*rows, *absent])],
    }


def _asked(bar: Bar, effort: Effort, rows: Sequence[dict[str, Any]]) -> bool:
    """Whether both were to be measured, beside as much else as the bar is for."""
    if (bar.busy, bar.pause) != (effort.busy, effort.pause):
        return False
    chosen = {row["candidate"] for row in rows if row["workload"] == bar.workload}
    return {bar.candidate, bar.reference} <= chosen


def _chosen(arguments: argparse.Namespace, peers: Peers) -> list[tuple[Workload, list[Candidate]]]:
    """What is to be measured."""
    only = set(arguments.only)
    found: list[tuple[Workload, list[Candidate]]] = []
    names = set(WORKLOADS)
    for workload in WORKLOADS.values():
        if only & WORKLOADS.keys() and workload.name not in only:
            continue
        some = candidates.local(workload, list(registry.TRANSPORTS), unwrapped=arguments.unwrapped)
        some += peers(workload)
        names |= {candidate.name for candidate in some}
        if only - WORKLOADS.keys():
            some = [candidate for candidate in some if candidate.name in {*only, RAW}]
        found.append((workload, some))
    unknown = only - names
    if unknown:
        raise OptionError(
            f"--only: there is no {', '.join(sorted(unknown))}. Known are {', '.join(names)}.",
            known=sorted(names),
        )
    return found


def measured(
    what: str, chosen: Sequence[Candidate], effort: Effort
) -> tuple[dict[str, Measured], dict[str, str]]:
    """As :func:`~openenv_gym.cli.benchmark.measure.measure`, with a progress bar.

    Args:
        what: What is stepped, for the bar.
        chosen: The candidates.
        effort: How much is measured.
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(file=sys.stderr), transient=True) as progress:
        task = progress.add_task(what, total=len(chosen) * (effort.rounds + 1))

        def advance(name: str) -> None:
            progress.update(task, advance=1, description=f"{what}: {name}")

        return measure(chosen, effort, advance)


def _plots(report: dict[str, Any], folder: Path) -> list[Path]:
    try:
        from openenv_gym.cli.benchmark.plots import draw

        return draw(report, folder)
    except ImportError as error:
        raise missing_package("Drawing figures", error.name or str(error), "bench") from error
