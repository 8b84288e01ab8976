"""What was measured, as a JSON file and as tables; two files of one machine, compared."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from openenv_gym.cli.benchmark.machine import describe, summary
from openenv_gym.cli.benchmark.measure import ratio
from openenv_gym.errors import OptionError

FORMAT = 1
RAW = "raw tcp"
"""The candidate that the others are compared with."""


@dataclass(frozen=True)
class Bar:
    """A ratio that is to be reached.

    Attributes:
        workload: What is stepped.
        candidate: What is held to it.
        reference: What it is compared with.
        goal: The bar. Of the time of a step, at most; of steps per second, at least.
        floor: A lower bar that was set before.
        rate: The ratio is that of steps per second, not of the median time of a step.
        busy: Other processes that compute meanwhile.
        pause: Seconds of work between two steps.
        key: What is compared, where it is not the time of a step.
    """

    workload: str
    candidate: str
    reference: str
    goal: float
    floor: float | None = None
    rate: bool = False
    busy: int = 0
    pause: float = 0.0
    key: str = "block_p50_us"

    def judge(self, rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
        """What was reached; None where one of the two was not measured."""
        found = {r["candidate"]: r for r in rows if r["workload"] == self.workload}
        judged: dict[str, Any] = {**vars(self), "value": None, "p10_value": None, "met": None}
        if self.candidate in found and self.reference in found:
            above, below = found[self.candidate], found[self.reference]
            key = "block_steps_per_s" if self.rate else self.key
            value = ratio(above[key], below[key])
            judged["value"] = value
            judged["met"] = value >= self.goal if self.rate else value <= self.goal
            if not self.rate:
                judged["p10_value"] = above["p10_us"] / below["p10_us"]
        return judged


def save(path: Path, report: Mapping[str, Any]) -> None:
    """Writes a report."""
    path.write_text(json.dumps(report, indent=1) + "\n")


def publish(
    console: Console, table: Table, rows: Sequence[Mapping[str, Any]], path: Path | None
) -> None:
    """Shows what was measured by rows of its own, and the machine; writes it where asked to."""
    machine = describe()
    console.print(table)
    console.print(summary(machine))
    if path is not None:
        save(path, {"format": FORMAT, "machine": machine, "rows": rows})


def load(path: Path) -> dict[str, Any]:
    """Reads a report.

    Raises:
        OptionError: It is not a report.
    """
    try:
        report = json.loads(path.read_text())
        if report["format"] != FORMAT:
            raise OptionError(
                f"{path} has the format {report['format']}, this reads {FORMAT}: measure again.",
                path=str(path),
                format=report["format"],
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OptionError(
            f"{path} is not a report of a measurement: {error!r}. --json FILE writes one.",
            path=str(path),
        ) from error
    return dict(report)


def show(console: Console, report: Mapping[str, Any]) -> None:
    """Prints a report."""
    console.print(summary(report["machine"]), style="dim", highlight=False)
    rows = report["rows"]
    for workload in dict.fromkeys(row["workload"] for row in rows):
        mine = [row for row in rows if row["workload"] == workload]
        console.print(_workload_table(workload, mine, report["settings"]))
    for missing in report["absent"]:
        reason = missing["reason"].splitlines()[0]
        line = f"not measured: {missing['candidate']}, {missing['workload']}: {reason}"
        console.print(line, style="yellow", markup=False, highlight=False)
    if report["bars"]:
        console.print(_bar_table(report["bars"]))


def _workload_table(
    workload: str, rows: Sequence[Mapping[str, Any]], settings: Mapping[str, Any]
) -> Table:
    beside = "".join(
        (
            f"; {settings['busy']} other processes compute" if settings.get("busy") else "",
            f"; {settings['pause'] * 1e3:g} ms of work between" if settings.get("pause") else "",
        )
    )
    table = Table(title=f"one step of {workload}, microseconds{beside}", title_justify="left")
    table.add_column("candidate")
    names = ("p10", "p50", "p99", "steps/s", f"x {RAW}", "CPU s/1e6", "steps")
    for name in (*names, "blocks' p50"):
        table.add_column(name, justify="right")
    raw = next((row for row in rows if row["candidate"] == RAW), None)
    for row in rows:
        times = "-" if raw is None else f"{ratio(row['block_p50_us'], raw['block_p50_us']):.2f}"
        table.add_row(
            row["candidate"],
            *(f"{row[f'{name}_us']:,.1f}" for name in ("p10", "p50", "p99")),
            f"{row['steps_per_s']:,.0f}",
            times,
            f"{row['cpu_s_per_million']:,.1f}" if "cpu_s_per_million" in row else "-",
            f"{row['steps']:,}",
            # An echo that sleeps has two of them, as the scheduler puts its ends on cores.
            f"{min(row['block_p50_us']):,.0f} to {max(row['block_p50_us']):,.0f}",
        )
    return table


def _bar_table(bars: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="bars: median of the blocks' ratios", title_justify="left")
    for name in ("what", "of", "first bar", "bar", "measured", "at p10", "met"):
        table.add_column(name)
    for bar in bars:
        met = {True: "[green]yes", False: "[red]no", None: "[yellow]not measured"}[bar["met"]]
        table.add_row(
            f"{bar['workload']}: {bar['candidate']} / {bar['reference']}",
            "steps/s" if bar["rate"] else "CPU" if bar["key"] == "block_cpu_us" else "p50",
            "" if bar["floor"] is None else _limit(bar["floor"], bar["rate"]),
            _limit(bar["goal"], bar["rate"]),
            "-" if bar["value"] is None else _number(bar["value"]),
            "-" if bar["p10_value"] is None else _number(bar["p10_value"]),
            met,
        )
    return table


def _limit(value: float, rate: bool) -> str:
    return ("at least " if rate else "at most ") + _number(value)


def _number(value: float) -> str:
    return f"{value:.2f}" if value > 0.2 else f"1/{1 / value:.3g}"


def compare(console: Console, old: Mapping[str, Any], new: Mapping[str, Any]) -> None:
    """Prints what changed between two reports of one machine.

    Raises:
        OptionError: They are of different machines, whose figures have nothing to say together.
    """
    here, there = new["machine"], old["machine"]
    if here["fingerprint"] != there["fingerprint"]:
        raise OptionError(
            "These are measurements of different machines, which cannot be compared: "
            f"{summary(there)}; and {summary(here)}.",
            machines=[there["fingerprint"], here["fingerprint"]],
        )
    console.print(f"old: {there['time']}, load {there['load'][0]:.2f}", highlight=False)
    console.print(f"new: {here['time']}, load {here['load'][0]:.2f}", highlight=False)
    table = Table(title=f"p50 in microseconds, and as a multiple of {RAW}", title_justify="left")
    for name in ("workload", "candidate", "old", "new", "new/old", "old x", "new x", "new/old x"):
        table.add_column(name)
    before = {(row["workload"], row["candidate"]): row for row in old["rows"]}
    now = {(row["workload"], row["candidate"]): row for row in new["rows"]}
    for key in (key for key in now if key in before):
        was, is_ = before[key]["p50_us"], now[key]["p50_us"]
        cells = [f"{was:.1f}", f"{is_:.1f}", f"{is_ / was:.2f}"]
        raw = (key[0], RAW)
        if raw in before and raw in now:
            was = ratio(before[key]["block_p50_us"], before[raw]["block_p50_us"])
            is_ = ratio(now[key]["block_p50_us"], now[raw]["block_p50_us"])
            cells += [f"{was:.2f}", f"{is_:.2f}", f"{is_ / was:.2f}"]
        table.add_row(*key, *cells)
    console.print(table)
