"""Whether memory grows: resident memory of client and server over a million steps.

    python benchmarks/memory.py [--steps N] [--only TRANSPORT ...] [--workload NAME]
        [--json FILE] [--plot DIR]

Prints for each transport the resident memory after warm-up and at the end, at both ends, and
whether it is flat: within 5 MB. The client steps in a process of its own, which measures nothing.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TimeRemainingColumn
from rich.table import Table

from openenv_gym.cli.benchmark.machine import describe, summary
from openenv_gym.cli.benchmark.workloads import WORKLOADS, image_of, make_ours, register

TRANSPORTS = ("inprocess", "process", "docker", "websocket", "http")
BAR = 5.0
"""Megabytes that it may grow after the warm-up."""

SAMPLES = 100
WARM_UP = 0.1  # of all steps


def child(workload: str, transport: str, image: str, steps: int) -> None:
    """Step, and stop after each hundredth until the parent says to go on."""
    register()
    env = make_ours(WORKLOADS[workload], transport, image or None)
    env.reset(seed=0)
    isolation: Any = env.get_wrapper_attr("isolation")
    print(json.dumps(isolation), flush=True)
    actions = [env.action_space.sample() for _ in range(64)]
    for _ in range(SAMPLES):
        sys.stdin.readline()
        for i in range(steps // SAMPLES):
            _, _, terminated, truncated, _ = env.step(actions[i % 64])
            if terminated or truncated:
                env.reset()
        print("done", flush=True)
    sys.stdin.readline()
    env.close()


def resident(pid: int) -> float:
    """Megabytes of a process in memory."""
    text = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def server_of(isolation: dict[str, Any]) -> int | None:
    """The process that has the environment; None in process."""
    if "pid" in isolation:
        return int(isolation["pid"])
    if "container" not in isolation:
        return None
    found = subprocess.run(
        ["docker", "top", isolation["container"], "-o", "pid,rss"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()[1:]
    # The largest: the other is the init.
    return int(max(found, key=lambda line: int(line.split()[1])).split()[0])


def measured(
    workload: str, transport: str, image: str, steps: int
) -> Iterator[tuple[float, float | None]]:
    """Resident memory of client and server, before the first step and after each hundredth."""
    command = [sys.executable, __file__, "--child", transport, "--workload", workload]
    command += ["--steps", str(steps), "--image", image]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        line = client.stdout.readline()
        if not line:
            return
        server = server_of(json.loads(line))
        for _ in range(SAMPLES):
            yield resident(client.pid), None if server is None else resident(server)
            client.stdin.write("\n")
            client.stdin.flush()
            if client.stdout.readline().strip() != "done":
                return
        yield resident(client.pid), None if server is None else resident(server)


def growth(samples: list[float]) -> float:
    """From after the warm-up to the end."""
    return samples[-1] - samples[int(len(samples) * WARM_UP)]


def show(console: Console, report: dict[str, Any]) -> None:
    """Prints the table."""
    console.print(summary(report["machine"]), style="dim", highlight=False)
    title = f"resident memory over {report['steps']:,} steps of {report['workload']}, MB"
    table = Table(title=title, title_justify="left")
    for name in ("transport", "end", "at first", "after warm-up", "at last", "growth", "flat"):
        table.add_column(name, justify="left" if name in ("transport", "end") else "right")
    for transport, sides in report["transports"].items():
        for side, samples in sides.items():
            warm = samples[int(len(samples) * WARM_UP)]
            flat = "[green]yes" if abs(growth(samples)) <= BAR else "[red]no"
            cells = [f"{value:.1f}" for value in (samples[0], warm, samples[-1], growth(samples))]
            table.add_row(transport, side, *cells, flat)
    console.print(table)


def draw(report: dict[str, Any], folder: Path) -> None:
    """Draws memory over steps."""
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for transport, sides in report["transports"].items():
        for side, samples in sides.items():
            steps = [i * report["steps"] / SAMPLES for i in range(len(samples))]
            dashes = "--" if side == "server" else "-"
            axes.plot(steps, samples, dashes, label=f"{transport}, {side}")
    axes.set_title("Resident memory", loc="left")
    axes.set_xlabel("steps")
    axes.set_ylabel("MB")
    axes.set_ylim(bottom=0)
    axes.grid(True, alpha=0.3)
    figure.legend(loc="outside right upper", fontsize=8)
    for suffix in ("png", "svg"):
        figure.savefig(folder / f"memory.{suffix}", dpi=150)


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """All transports, one after the other."""
    found: dict[str, dict[str, list[float]]] = {}
    console = Console(stderr=True)
    columns = (*Progress.get_default_columns(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        for transport in arguments.only:
            task = progress.add_task(transport, total=SAMPLES + 1)
            image = ""
            if transport == "docker":
                image = image_of(WORKLOADS[arguments.workload])
            sides: dict[str, list[float]] = {}
            for client, server in measured(arguments.workload, transport, image, arguments.steps):
                sides.setdefault("client", []).append(client)
                if server is not None:
                    sides.setdefault("server", []).append(server)
                progress.advance(task)
            if len(sides.get("client", ())) == SAMPLES + 1:
                found[transport] = sides
            else:
                console.print(f"not measured: {transport}: it says why above", style="yellow")
    return {
        "machine": describe(),
        "workload": arguments.workload,
        "steps": arguments.steps,
        "transports": found,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    noops = [workload.name for workload in WORKLOADS.values() if workload.plain]
    parser.add_argument("--steps", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--workload", choices=noops, default="small")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--plot", type=Path, metavar="DIR")
    parser.add_argument("--child", choices=TRANSPORTS, help=argparse.SUPPRESS)
    parser.add_argument("--image", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.workload, arguments.child, arguments.image, arguments.steps)
        return 0
    report = measure(arguments)
    show(Console(width=None if sys.stdout.isatty() else 110), report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    if arguments.plot:
        draw(report, arguments.plot)
    return 0 if len(report["transports"]) == len(arguments.only) else 1


if __name__ == "__main__":
    sys.exit(main())
