"""Writes the tables of ``docs/benchmarks.md`` from a report: ``make generate``.

The report, ``docs/assets/benchmarks.json``, is what a run of the benchmarks wrote::

    python benchmarks/transports.py --json docs/assets/benchmarks.json && python docs/figures.py
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from openenv_gym.cli.benchmark.machine import summary
from openenv_gym.cli.benchmark.measure import ratio
from openenv_gym.cli.benchmark.report import RAW, load

DOCS = Path(__file__).resolve().parent
PAGE = DOCS / "benchmarks.md"
REPORT = DOCS / "assets" / "benchmarks.json"
MARKS = ("<!-- figures: written by `make generate` -->", "<!-- end of figures -->")

_HEAD = ("candidate", "p10", "p50", "p99", "steps/s", f"x {RAW}", "CPU s per 1e6 steps")


def page(text: str, report: Mapping[str, Any]) -> str:
    """Return the page with the tables of a report between its marks."""
    before, _, rest = text.partition(MARKS[0])
    after = rest.partition(MARKS[1])[2]
    return "\n".join([before + MARKS[0], "", *_tables(report), MARKS[1] + after])


def _tables(report: Mapping[str, Any]) -> Iterator[str]:
    rows = report["rows"]
    yield f"Measured on {report['machine']['time'][:10]}: {summary(report['machine'])}."
    yield ""
    for workload in dict.fromkeys(row["workload"] for row in rows):
        mine = [row for row in rows if row["workload"] == workload]
        raw = next((row for row in mine if row["candidate"] == RAW), None)
        yield f"A step of `{workload}`, in microseconds:"
        yield ""
        yield from _table(_HEAD, (_row(row, raw) for row in mine))
    if report["bars"]:
        yield "The bars of this project, in ratios of the time of a step within this run:"
        yield ""
        head = ("what", "bar", "measured", "reached")
        yield from _table(head, (_bar(bar) for bar in report["bars"] if bar["value"] is not None))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    for cells in (head, ("---",) * len(head), *rows):
        yield f"| {' | '.join(cells)} |"
    yield ""


def _row(row: Mapping[str, Any], raw: Mapping[str, Any] | None) -> tuple[str, ...]:
    times = "" if raw is None else f"{ratio(row['block_p50_us'], raw['block_p50_us']):.2f}"
    cpu = row.get("cpu_s_per_million")
    return (
        row["candidate"],
        *(f"{row[f'{name}_us']:,.1f}" for name in ("p10", "p50", "p99")),
        f"{row['steps_per_s']:,.0f}",
        times,
        "" if cpu is None else f"{cpu:,.1f}",
    )


def _bar(bar: Mapping[str, Any]) -> tuple[str, ...]:
    of = "steps/s" if bar["rate"] else "CPU" if bar["key"] == "block_cpu_us" else "p50"
    what = f"`{bar['workload']}`: {bar['candidate']} / {bar['reference']}, {of}"
    goal = f"{'at least' if bar['rate'] else 'at most'} {bar['goal']:.3g}"
    return what, goal, f"{bar['value']:.3g}", "yes" if bar["met"] else "no"


if __name__ == "__main__":
    written = page(PAGE.read_text("utf-8"), load(REPORT))
    PAGE.write_text(written, "utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
