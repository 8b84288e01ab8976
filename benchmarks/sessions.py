"""Many sessions on one server: each steps once a second, all must succeed, and in time.

    python benchmarks/sessions.py [--sessions N] [--seconds S] [--environment NAME] [--json FILE]

Starts ``openenv-gym serve`` for the environment (Connect4, against a random opponent), opens so
many sessions over WebSockets from one light client (load.py), and has each play games of random
legal moves. Prints how long steps took (p50, p99, the slowest), how many failed, and what the
server used; then the bar: all of a thousand sessions succeed for a minute, with a p99 below a
second.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import load
import numpy as np
from load import Player, cpu_seconds, record
from memory import resident
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from openenv_gym.cli.benchmark.machine import describe, summary

BAR = 1.0
"""Seconds that the 99th percentile of the steps may take."""

_AT_ONCE = 32  # sessions that are being opened
_START_LIMIT = 60.0
_SPARE_FILES = 200


class Run:
    """All sessions together.

    Args:
        url: Of the server.
        sessions: How many.
        seconds: How long.
        environment: What the server serves.
        options: Options of the environment.
    """

    def __init__(
        self,
        url: str,
        sessions: int,
        seconds: float,
        environment: str,
        options: dict[str, Any],
    ) -> None:
        self._url = url
        self._games = record(environment, options)
        self._sessions = sessions
        self._seconds = seconds
        self._options = options
        self.times: list[float] = []
        self.errors: list[str] = []
        self.late = 0
        self.opening = 0.0

    async def __call__(self, progress: Progress) -> None:
        """Opens, plays, closes."""
        gate = asyncio.Semaphore(_AT_ONCE)
        opened = progress.add_task("opening", total=self._sessions)
        playing = progress.add_task("steps", total=int(self._sessions * self._seconds))
        ready = asyncio.Event()
        left = self._sessions
        began = time.perf_counter()

        async def one(number: int) -> None:
            nonlocal left
            try:
                async with gate:
                    player = await Player.connect(self._url, self._games, number)
                    await player.begin(self._options)
                progress.advance(opened)
                left -= 1
                if left == 0:
                    ready.set()
                await ready.wait()
                await self._play(player, number, lambda: progress.advance(playing))
                await player.close()
            except Exception as error:  # whatever it is, it is what is to be found
                self.errors.append(f"{type(error).__name__}: {error}")
                left -= 1
                if left == 0:
                    ready.set()

        tasks = [asyncio.create_task(one(number)) for number in range(self._sessions)]
        await asyncio.wait([asyncio.create_task(ready.wait())])
        self.opening = time.perf_counter() - began
        await asyncio.gather(*tasks)

    async def _play(self, player: Player, number: int, stepped: Any) -> None:
        """A step a second, at a moment of the second that is this session's own."""
        start = time.perf_counter() + number / self._sessions
        for turn in range(int(self._seconds)):
            wait = start + turn - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            else:
                self.late += 1
            self.times.append(await player.step())
            stepped()


@contextlib.contextmanager
def server(environment: str, sessions: int, *more: str) -> Iterator[tuple[str, int]]:
    """A server of ours, with more arguments; gives its URL and its process."""
    command = [sys.executable, "-m", "openenv_gym.cli", "serve", environment]
    command += ["--port", "0", "--max-sessions", str(sessions), *more]
    with tempfile.TemporaryDirectory(prefix="openenv-bench-") as folder:
        log = Path(folder, "log")
        with log.open("w") as file:
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + _START_LIMIT
            while not (found := re.search(r"(ws://\S+?)[;, ]", log.read_text())):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the server did not start:\n{log.read_text()}")
                time.sleep(0.05)
            yield f"{found[1]}/ws", process.pid
        finally:
            process.terminate()
            process.wait(30)


def allow_files(wanted: int) -> None:
    """Lets this process and its children open so many files."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise SystemExit(f"{wanted} open files are needed, {hard} allowed: raise ulimit -n.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """The whole of it."""
    machine = describe()
    allow_files(arguments.sessions + _SPARE_FILES)
    options = json.loads(arguments.options)
    with server(arguments.environment, arguments.sessions) as (url, pid):
        run = Run(url, arguments.sessions, arguments.seconds, arguments.environment, options)
        before = cpu_seconds(pid)
        with Progress(console=Console(stderr=True), transient=True) as progress:
            load.run(run(progress))
        used = {"cpu_s": cpu_seconds(pid) - before, "resident_mb": resident(pid)}
    times = np.array(run.times or [float("inf")])
    steps = int(arguments.seconds) * arguments.sessions
    return {
        "machine": machine,
        "environment": arguments.environment,
        "sessions": arguments.sessions,
        "seconds": arguments.seconds,
        "opening_s": run.opening,
        "steps": len(run.times),
        "steps_wanted": steps,
        "late": run.late,
        "errors": run.errors,
        "percentiles_ms": (np.percentile(times, range(101)) * 1e3).tolist(),
        "server": used,
        "met": not run.errors and len(run.times) == steps and np.percentile(times, 99) < BAR,
    }


def show(console: Console, report: dict[str, Any]) -> None:
    """Prints the table."""
    console.print(summary(report["machine"]), style="dim", highlight=False)
    title = f"{report['sessions']:,} sessions of {report['environment']}, a step a second each"
    table = Table(title=f"{title}, for {report['seconds']:g} s", title_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right")
    percentiles = report["percentiles_ms"]
    for what, value in (
        ("all sessions open after", f"{report['opening_s']:.1f} s"),
        ("steps that succeeded", f"{report['steps']:,} of {report['steps_wanted']:,}"),
        ("sessions that failed", str(len(report["errors"]))),
        ("steps that began late (the client was busy)", f"{report['late']:,}"),
        ("p50 of a step", f"{percentiles[50]:.1f} ms"),
        ("p99 of a step", f"{percentiles[99]:.1f} ms"),
        ("the slowest step", f"{percentiles[100]:.1f} ms"),
        ("server: CPU time", f"{report['server']['cpu_s']:.1f} s"),
        ("server: resident memory", f"{report['server']['resident_mb']:.0f} MB"),
    ):
        table.add_row(what, value)
    console.print(table)
    for error in sorted(set(report["errors"]))[:5]:
        console.print(error, style="red", markup=False)
    verdict = "[green]met" if report["met"] else "[red]not met"
    console.print(f"bar: all succeed, p99 below {BAR:g} s: {verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sessions", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--environment", default="connect4")
    parser.add_argument("--options", default='{"opponent": "random"}', metavar="JSON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    report = measure(arguments)
    show(Console(width=None if sys.stdout.isatty() else 110), report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1, default=bool) + "\n")
    return 0 if not report["errors"] else 1


if __name__ == "__main__":
    sys.exit(main())
