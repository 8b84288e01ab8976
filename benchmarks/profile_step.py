"""Where the time of one step goes, layer by layer, in the running processes of each transport.

    python benchmarks/profile_step.py [--only TRANSPORT ...] [--workload NAME] [--steps N]
        [--json FILE]

Prints a table: the median microseconds that each layer took by itself, at the client and at the
server; what is left of the wait is the kernel's, with its wake-ups. The wrappers that take the time
cost some themselves (the last two rows show a step with and without them).
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import probe
from rich.console import Console
from rich.table import Table

import openenv_gym_transports.links.wire_link as codec_user
from openenv_gym.cli.benchmark.machine import describe, summary
from openenv_gym.cli.benchmark.workloads import WORKLOADS, Workload, make_ours, register
from openenv_gym.wire.codec import Decoders

TRANSPORTS = ("inprocess", "process", "docker", "websocket", "http")
WARM_UP = 500
REPLACED = "openenv_gym.cli"
HERE = Path(__file__).resolve().parent

ROWS = (
    ("client", "wrappers", "gymnasium's wrappers"),
    ("client", "adapter", "adapter (OpenEnvGym.step)"),
    ("client", "transport", "transport (framing, HTTP or WebSocket client)"),
    ("client", "encode", "codec: encode"),
    ("client", "decode", "codec: decode"),
    ("", "kernel", "sockets and wake-ups, both ways"),
    ("server", "server loop", "server loop (pipe thread, or uvicorn and the face)"),
    ("server", "decode", "codec: decode"),
    ("server", "session", "session (spaces, models)"),
    ("server", "environment", "environment"),
    ("server", "encode", "codec: encode"),
)


def probed_servers() -> None:
    """Has the transports start their servers with the probe."""
    from openenv_gym_transports.containers import hardening as sandbox
    from openenv_gym_transports.links import child_process as launch

    class Popen(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **kwargs: Any) -> None:
            super().__init__(["probe" if word == REPLACED else word for word in command], **kwargs)

    launch.subprocess = SimpleNamespace(**{**vars(subprocess), "Popen": Popen})  # type: ignore[assignment, attr-defined]
    settings = sandbox.settings

    def with_probe(*args: Any) -> dict[str, Any]:
        return {**settings(*args), "entrypoint": ["python3", "-m", "probe"]}

    sandbox.settings = with_probe


def probed_image(environment: str) -> str:
    """An image with the probe in it."""
    from openenv_gym_transports.images.build import build_image
    from openenv_gym_transports.images.contents import image_name

    include = [HERE / "probe.py"]
    tag = image_name(environment, include).replace("openenv-gym/", "openenv-gym-bench/")
    return build_image(environment, include=include, tag=tag)


def wrap_client(layers: probe.Layers, workload: Workload, transport: str) -> None:
    """All layers of this process."""
    from openenv_gym.env import OpenEnvGym

    layers.wrap("adapter", OpenEnvGym, "step")
    if transport == "inprocess":
        probe.wrap_session(layers, gymnasium.spec(workload.id).kwargs["environment"])
        return
    layers.wrap("transport", codec_user.WireLink, "exchange")
    layers.wrap("encode", codec_user, "encode")
    layers.wrap("decode", Decoders, "decode")
    _wrap_sockets(layers)


def _wrap_sockets(layers: probe.Layers) -> None:
    """Every socket made from now on, and waiting for it."""
    from openenv_gym.wire.busy_wait import AwakeSocket

    layers.wrap("wait", AwakeSocket, "recv_into")

    class Timed(socket.socket):
        sendall = layers.timed("wait", socket.socket.sendall)
        sendmsg = layers.timed("wait", socket.socket.sendmsg)
        send = layers.timed("wait", socket.socket.send)
        recv = layers.timed("wait", socket.socket.recv)
        recv_into = layers.timed("wait", socket.socket.recv_into)

    socket.socket = Timed  # type: ignore[misc]


def steps_of(env: gymnasium.Env[Any, Any], count: int, after: Callable[[], None]) -> list[int]:
    """Nanoseconds of each of so many steps."""
    step, action, clock = env.step, env.action_space.sample(), perf_counter_ns
    times = []
    for _ in range(count):
        began = clock()
        step(action)
        times.append(clock() - began)
        after()
    return times


def profile(workload: Workload, transport: str, image: str | None, count: int) -> dict[str, Any]:
    """Microseconds of each layer. What it puts in place stays, so it has a process of its own."""
    env = make_ours(workload, transport, image)
    env.reset(seed=0)
    plain = steps_of(env, WARM_UP + count, lambda: None)[WARM_UP:]
    env.close()
    probed_servers()
    layers = probe.Layers()
    wrap_client(layers, workload, transport)
    env = make_ours(workload, transport, image)
    env.reset(seed=0)
    state: Any = env.get_wrapper_attr("state")
    steps_of(env, WARM_UP, layers.cut)
    state()
    layers.cut()
    layers.ship()
    times = steps_of(env, count, layers.cut)
    mine = layers.ship()["steps"]
    # The first of them is what asked for those before.
    theirs = [{}] * count if transport == "inprocess" else state()[probe.KEY]["steps"][1:]
    env.close()
    assert len(mine) == len(theirs) == count, "each step was seen at both ends"
    split = [_split(*all_of_it) for all_of_it in zip(times, mine, theirs, strict=True)]
    found = {key: _median([step[key] for step in split]) for key in split[0]}
    return {"layers": found, "with": _median(times), "without": _median(plain)}


def _split(total: int, mine: dict[str, int], theirs: dict[str, int]) -> dict[str, int]:
    """One step: nanoseconds by side and layer."""
    here = dict(mine)
    wait = here.pop("wait", 0)
    split = {f"client {layer}": spent for layer, spent in here.items()}
    split["client wrappers"] = total - sum(mine.values())
    if theirs:
        split |= {f"server {layer}": spent for layer, spent in theirs.items()}
        # While the server writes, the client may run already, on the same core.
        split["kernel"] = wait - sum(theirs.values()) + theirs["socket"]
    return split


def _median(times: list[int]) -> float:
    return float(np.median(times)) / 1e3


def show(console: Console, workload: str, found: dict[str, dict[str, Any]]) -> None:
    """Prints the table."""
    title = f"one step of {workload}: median microseconds of each layer by itself"
    table = Table(title=title, title_justify="left")
    table.add_column("where")
    table.add_column("layer")
    for transport in found:
        table.add_column(transport, justify="right")
    for side, layer, text in ROWS:
        keys = {f"{side} {layer}".strip()}
        if side == "server":
            keys.add(f"client {layer}")  # in process all is the client's
        cells = []
        for one in found.values():
            spent = [one["layers"][key] for key in keys if key in one["layers"]]
            theirs = "kernel" in one["layers"]
            if side == "server" and theirs:
                spent = [one["layers"].get(f"server {layer}", 0.0)]
            if side != "server" and not theirs and layer not in ("wrappers", "adapter"):
                spent = []
            cells.append(f"{spent[0]:.1f}" if spent else "")
        table.add_row(side, text, *cells)
    table.add_section()
    for key, text in (("with", "whole step, with the wrappers"), ("without", "and without")):
        table.add_row("", text, *(f"{one[key]:.1f}" for one in found.values()))
    console.print(table)


def measure(name: str, transports: list[str], steps: int, console: Console) -> dict[str, Any]:
    """All transports, each in a process of its own."""
    found = {}
    for transport in transports:
        with console.status(f"{transport}: stepping"):
            command = [sys.executable, __file__, "--child", "--workload", name]
            command += ["--only", transport, "--steps", str(steps)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            console.print(f"not measured: {transport}: {reason}", style="yellow", markup=False)
        else:
            found[transport] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    noops = [workload.name for workload in WORKLOADS.values() if workload.noop]
    parser.add_argument("--only", nargs="+", choices=TRANSPORTS, default=list(TRANSPORTS))
    parser.add_argument("--workload", choices=noops, default="small")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    register()
    workload = WORKLOADS[arguments.workload]
    if arguments.child:
        (transport,) = arguments.only
        image = probed_image(workload.image) if transport == "docker" else None
        print(json.dumps(profile(workload, transport, image, arguments.steps)))
        return 0
    console = Console(width=None if sys.stdout.isatty() else 110)
    machine = describe()
    found = measure(workload.name, arguments.only, arguments.steps, console)
    console.print(summary(machine), style="dim", highlight=False)
    show(console, workload.name, found)
    if arguments.json:
        report = {"machine": machine, "workload": workload.name, "transports": found}
        arguments.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
