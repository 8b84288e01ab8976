"""How long it takes to begin: the import, and from ``gymnasium.make`` to the end of ``reset``.

    python benchmarks/startup.py [--quick] [--only NAME ...] [--workload NAME] [--json FILE]

Prints the import time of openenv_gym beside gymnasium's; for each transport the phases of a start
(medians, milliseconds), the first of a process and the next one; ``docker run`` of the same image
that does no more than to start Python and import the same environment; and OpenEnv's
LocalDockerProvider with the same no-op environment on its own server. All in turn, each in a fresh
process. Then the bars, and whether they are met.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import gymnasium
import probe
from profile_step import TRANSPORTS, probed_image, probed_servers
from provider import Provider
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from openenv_gym import registry
from openenv_gym.cli.benchmark.machine import describe, summary
from openenv_gym.cli.benchmark.measure import UnavailableError, ratio
from openenv_gym.cli.benchmark.workloads import WORKLOADS, Workload, make_ours, register
from openenv_gym.errors import OpenEnvGymError

IMPORTS = ("gymnasium", "openenv_gym")
UNWANTED = ("docker", "httpx", "fastapi", "chess", "pydantic", "websockets")
PHASES = ("engine", "container", "Python", "imports", "connect", "env", "adapter", "reset")
AGAIN = ", again"
BARE, OPENENV = "docker run", "openenv provider"
BARS = (
    ("import openenv_gym", "import gymnasium", 1.25, None),
    ("docker", BARE, 1.3, 1.5),
    (f"docker{AGAIN}", BARE, 1.3, 1.5),
    ("docker", OPENENV, 0.5, None),
)

Sample = dict[str, float]


def imported(package: str) -> Sample:
    """Milliseconds of an import, in a fresh interpreter."""
    code = (
        "import sys, time; began = time.perf_counter(); "
        f"import {package}; print(time.perf_counter() - began, *sys.modules)"
    )
    words = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    loaded = sorted(set(words[1:]) & set(UNWANTED))
    if package == "openenv_gym" and loaded:
        raise UnavailableError(f"import openenv_gym loads {', '.join(loaded)}")
    return {"total": float(words[0]) * 1e3}


def started(workload: Workload, transport: str, image: str | None) -> Sample:
    """Milliseconds of each phase from make to the end of the first reset, in a fresh process.

    Those of a second start in that process are added, with the suffix of ``AGAIN``.
    """
    command = [sys.executable, __file__, "--child", transport, "--workload", workload.name]
    done = subprocess.run(
        [*command, "--image", image or ""], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise UnavailableError((done.stderr.strip().splitlines() or ["no reason given"])[-1])
    found: Sample = json.loads(done.stdout.splitlines()[-1])
    return found


def child(workload: Workload, transport: str, image: str | None) -> Sample:
    """What :func:`started` runs."""
    if transport != "inprocess":
        probed_servers()
    first = _start(workload, transport, image)
    again = _start(workload, transport, image)
    return {**first, **{key + AGAIN: value for key, value in again.items()}}


def _start(workload: Workload, transport: str, image: str | None) -> Sample:
    at = {"begin": time.monotonic_ns()}
    if transport == "docker":
        _mark_start(at)
    env = make_ours(workload, transport, image)
    with contextlib.closing(env):
        at["made"] = time.monotonic_ns()
        env.reset(seed=0)
        at["end"] = time.monotonic_ns()
        state = env.get_wrapper_attr("state")()
    return _phases(at, state.get(probe.KEY, {}).get("marks", {}))


def _mark_start(at: dict[str, int]) -> None:
    """Note when the engine is asked to start the container."""
    from openenv_gym_transports.containers.container import Container

    start = Container.start

    def marked(self: Container) -> None:
        at["start"] = time.monotonic_ns()
        start(self)

    Container.start = marked  # type: ignore[method-assign]


def _phases(at: dict[str, int], marks: dict[str, int]) -> Sample:
    """What came after what; a phase that a transport does not have is left out."""
    order = [("begin", at["begin"])]
    if "start" in at:
        order += [("engine", at["start"]), ("container", marks["process"])]
    if "python" in marks:
        order += [("Python", marks["python"]), ("imports", marks["imports"])]
        order += [("connect", marks["open"]), ("env", marks["open done"])]
    order += [("adapter", at["made"]), ("reset", at["end"])]
    spent = {"total": (at["end"] - at["begin"]) / 1e6}
    for (_, before), (name, after) in pairwise(order):
        spent[name] = (after - before) / 1e6
    return spent


def bare(environment: str, image: str) -> Sample:
    """Milliseconds until a bare container of the image has imported the same environment."""
    module = registry.environment(environment).target.partition(":")[0]
    command = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "python3", image]
    began = time.monotonic_ns()
    with subprocess.Popen(
        [*command, "-c", f"import {module}; print('there', flush=True)"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        spent = (time.monotonic_ns() - began) / 1e6
        assert line.strip() == "there", process.communicate()[1]
    return {"total": spent}


def in_turn(
    candidates: dict[str, Callable[[], Sample]], rounds: int
) -> tuple[dict[str, list[Sample]], dict[str, str]]:
    """Runs all, round after round; the first is not counted."""
    samples: dict[str, list[Sample]] = {}
    absent: dict[str, str] = {}
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("", total=len(candidates) * (rounds + 1))
        for turn in range(rounds + 1):
            for name, run in candidates.items():
                progress.update(task, advance=1, description=name)
                if name in absent:
                    continue
                try:
                    sample = run()
                except (UnavailableError, OpenEnvGymError, OSError) as error:
                    absent[name] = str(error).strip() or repr(error)
                    continue
                if turn:
                    samples.setdefault(name, []).append(sample)
    return samples, absent


def candidates_of(workload: Workload, only: Sequence[str]) -> dict[str, Callable[[], Sample]]:
    """All that is measured, by name."""
    found: dict[str, Callable[[], Sample]] = {
        f"import {package}": partial(imported, package) for package in IMPORTS
    }
    name = gymnasium.spec(workload.id).kwargs["environment"]
    for transport in TRANSPORTS:
        image = partial(probed_image, workload.image)

        def run(transport: str = transport, image: Callable[[], str] = image) -> Sample:
            return started(workload, transport, image() if transport == "docker" else None)

        found[transport] = run
    found[BARE] = lambda: bare(name, probed_image(workload.image))
    if workload.noop:
        found[OPENENV] = Provider(workload.name).start
    return {key: run for key, run in found.items() if not only or key in only}


def judged(samples: dict[str, list[Sample]]) -> list[dict[str, Any]]:
    """The bars: medians of the ratios of a round."""
    found = []
    for name, reference, bar, floor in BARS:
        value = None
        candidate, suffix = name.removesuffix(AGAIN), AGAIN if name.endswith(AGAIN) else ""
        if candidate in samples and reference in samples:
            above = [sample[f"total{suffix}"] for sample in samples[candidate]]
            value = ratio(above, [sample["total"] for sample in samples[reference]])
        met = None if value is None else value <= bar
        found.append(
            {
                "what": f"{name} / {reference}",
                "bar": bar,
                "floor": floor,
                "value": value,
                "met": met,
            }
        )
    return found


def _cells(samples: list[Sample], suffix: str) -> list[str]:
    totals = [sample[f"total{suffix}"] for sample in samples]
    cells = [f"{median(totals):.0f}", f"{min(totals):.0f}"]
    for phase in PHASES:
        spent = [sample[phase + suffix] for sample in samples if phase + suffix in sample]
        cells.append(f"{median(spent):.1f}" if spent else "")
    return cells


def show(console: Console, report: dict[str, Any]) -> None:
    """Prints all of it."""
    console.print(summary(report["machine"]), style="dim", highlight=False)
    table = Table(title="milliseconds, medians", title_justify="left")
    table.add_column("what", no_wrap=True)
    for column in ("total", "fastest", *PHASES):
        table.add_column(column, justify="right")
    for name, samples in report["samples"].items():
        for suffix in ("", AGAIN):
            if f"total{suffix}" in samples[0]:
                table.add_row(name + suffix, *_cells(samples, suffix))
    console.print(table)
    for name, reason in report["absent"].items():
        line = f"not measured: {name}: {reason.splitlines()[0]}"
        console.print(line, style="yellow", markup=False, highlight=False)
    table = Table(title="bars: median of the rounds' ratios", title_justify="left")
    for column in ("what", "first bar", "bar", "measured", "met"):
        table.add_column(column)
    for bar in report["bars"]:
        met = {True: "[green]yes", False: "[red]no", None: "[yellow]not measured"}[bar["met"]]
        value = "-" if bar["value"] is None else f"{bar['value']:.2f}"
        floor = "" if bar["floor"] is None else f"at most {bar['floor']}"
        table.add_row(bar["what"], floor, f"at most {bar['bar']}", value, met)
    console.print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two rounds instead of ten")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[])
    parser.add_argument("--workload", choices=WORKLOADS, default="small")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--child", choices=TRANSPORTS, help=argparse.SUPPRESS)
    parser.add_argument("--image", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    register()
    workload = WORKLOADS[arguments.workload]
    if arguments.child:
        print(json.dumps(child(workload, arguments.child, arguments.image or None)))
        return 0
    machine = describe()
    candidates = candidates_of(workload, arguments.only)
    samples, absent = in_turn(candidates, 2 if arguments.quick else 10)
    report = {"machine": machine, "workload": workload.name, "samples": samples, "absent": absent}
    report["bars"] = judged(samples)
    show(Console(width=None if sys.stdout.isatty() else 120), report)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
