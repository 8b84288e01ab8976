"""What a server's backends are worth, and how it behaves under trouble, in ratios of one run.

    python benchmarks/servers.py [--quick] [--only NAME ...] [--json FILE]

Each row starts ``openenv-gym serve`` and prints what was measured beside its bar:

- ``workers``: steps a second of Chess against "greedy", 16 clients, two workers against one process
- ``small``: the median of a small step through ``--backend process`` against in process
- ``hung``: a step that holds the interpreter lock forever, beside a session in another worker
- ``docker``: opening and resetting a session of which a spare one is ready
- ``many``: 2,000 sessions of Connect4, a step a second each
- ``drain``: SIGTERM while 100 sessions are stepping
- ``fleet``: 512 lanes on 8 servers, of which one is killed, and started again, every 10 s

Clients run on the same machine, so the more cores it has, the truer the ratios are. Those of
``workers`` and ``many`` are light ones (load.py): games that were recorded, over bare WebSockets.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import gymnasium
import load
import numpy as np
from gymnasium.spaces import Discrete
from load import Game, Player
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sessions import Run, allow_files, server
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from openenv_gym import Action, Environment, Observation, State
from openenv_gym.cli.benchmark.machine import describe, summary
from openenv_gym.errors import OpenEnvGymError, ServerClosingError
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Failure, Open, Request, Reset, Step
from openenv_gym.wire.names import SERVER_ENDED, SUBPROTOCOL

_LIMIT = 60.0
_STEP_LIMIT = 2.0  # of the server, for the step that hangs
_GO_ON, _HOLD = range(2)


class Do(Action):
    """What the step does."""

    what: Annotated[int, Discrete(2)]


class Seen(Observation):
    """How many steps there were."""

    count: Annotated[int, Discrete(1 << 30)] = 0


class Steps(Environment[Do, Seen, State]):
    """Counts its steps; one of them holds the interpreter lock."""

    def reset(self) -> Seen:
        """Implements Environment.reset."""
        self._count = 0
        return Seen()

    def step(self, action: Do) -> Seen:
        """Implements Environment.step."""
        if action.what == _HOLD:
            import ctypes

            ctypes.PyDLL(None).sleep(1000)
        self._count += 1
        return Seen(count=self._count)

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State()


class Row(NamedTuple):
    """One measurement.

    Attributes:
        measured: In words.
        bar: What is asked for, in words.
        met: Whether it is.
    """

    measured: str
    bar: str
    met: bool


def remote(url: str, **keywords: Any) -> Any:
    return gymnasium.make(
        "openenv/Remote-v0",
        transport="websocket",
        url=url,
        disable_env_checker=True,
        **keywords,
    ).unwrapped


def workers(quick: bool) -> Row:
    seconds, rounds = (2.0, 1) if quick else (5.0, 3)
    options = {"opponent": "greedy"}
    with (
        server("chess", 64) as (one, _),
        server("chess", 64, "--workers", "2") as (two, pid),
    ):
        games = load.record("chess", options)
        ratios = []
        for _ in range(rounds):
            plain = load.run(_rate(one, games, seconds, options))
            ratios.append(load.run(_rate(two, games, seconds, options)) / plain)
        busy = _cores(two, games, pid, seconds, options)
    ratio = float(np.median(ratios))
    measured = f"{ratio:.2f} x the steps/s; of the cores {busy}"
    return Row(measured, ">= 1.8 x, with two cores to spare", ratio >= 1.8)


async def _rate(url: str, games: list[Game], seconds: float, options: dict[str, Any]) -> float:
    """Steps a second of 16 clients together."""
    players = [await Player.connect(url, games, number) for number in range(16)]
    for player in players:
        await player.begin(options)
    end = time.perf_counter() + seconds

    async def play(player: Player) -> int:
        steps = 0
        while time.perf_counter() < end:
            await player.step()
            steps += 1
        return steps

    began = time.perf_counter()
    counts = await asyncio.gather(*map(play, players))
    rate = sum(counts) / (time.perf_counter() - began)
    for player in players:
        await player.close()
    return rate


def _cores(url: str, games: list[Game], pid: int, seconds: float, options: dict[str, Any]) -> str:
    """How much of a core the client and the server took, of those that there are."""
    began, client, served = time.perf_counter(), time.process_time(), load.cpu_seconds(pid)
    load.run(_rate(url, games, seconds, options))
    spent = time.perf_counter() - began
    client, served = time.process_time() - client, load.cpu_seconds(pid) - served
    return f"the client takes {client / spent:.2f}, the server {served / spent:.2f}"


def small(quick: bool) -> Row:
    blocks, steps = (10, 100) if quick else (60, 300)
    with server("echo", 4) as (one, _), server("echo", 4, "--workers", "1") as (two, _):
        envs = [remote(one), remote(two)]
        for env in envs:
            env.reset(seed=1)
        action = envs[0].action_space.sample()
        ratios = []
        for _ in range(blocks):
            plain, backed = (np.median(_times(env, action, steps)) for env in envs)
            ratios.append(backed / plain)
        for env in envs:
            env.close()
    ratio = float(np.median(ratios))
    return Row(f"{ratio:.2f} x the median step", "<= 1.8 x", ratio <= 1.8)


def _slow(env: Any, steps: int) -> float:
    """The p99 of a step: the median of ten blocks', since a pause of the machine falls into one."""
    blocks = [np.percentile(_times(env, _GO_ON, steps // 10), 99) for _ in range(10)]
    return float(np.median(blocks))


def _times(env: Any, action: Any, steps: int) -> list[float]:
    times = []
    for _ in range(steps):
        began = time.perf_counter()
        env.step(action)
        times.append(time.perf_counter() - began)
    return times


def hung(quick: bool) -> Row:
    steps = 1000 if quick else 5000
    limits = ("--workers", "2", "--step-timeout", str(_STEP_LIMIT))
    with server("servers:Steps", 2, *limits) as (url, _):
        bad, good = remote(url), remote(url)
        for env in (bad, good):
            env.reset()
        before = _slow(good, steps)
        began = time.perf_counter()
        bad.link.send(Step(_HOLD))
        during = _slow(good, steps)
        with contextlib.suppress(OpenEnvGymError):
            bad.link.receive(_LIMIT)
        ended = time.perf_counter() - began
        again = remote(url)  # its slot is free
        again.reset()
        for env in (bad, good, again):
            env.close()
    ratio = during / before
    met = ratio <= 1.2 and ended <= _STEP_LIMIT + 2
    measured = f"p99 of the other {ratio:.2f} x; ended after {ended:.1f} s; its slot is free"
    return Row(measured, f"<= 1.2 x; <= {_STEP_LIMIT + 2:g} s", bool(met))


def docker(quick: bool) -> Row:
    times = []
    with server("echo", 8, "--backend", "docker", "--spare", "1") as (url, _):
        for _ in range(2 if quick else 5):
            _wait_for_a_spare(url)
            began = time.perf_counter()
            env = remote(url)
            env.reset()
            times.append(time.perf_counter() - began)
            env.close()
    best = float(np.median(times)) * 1e3
    return Row(f"{best:.0f} ms to the first reset", "<= 50 ms", best <= 50)


def _wait_for_a_spare(url: str) -> None:
    end = time.monotonic() + _LIMIT
    metrics = f"http{url.removeprefix('ws').removesuffix('/ws')}/metrics"
    while True:
        with urllib.request.urlopen(metrics, timeout=_LIMIT) as reply:
            if re.search(rb"^openenv_gym_spare_sessions\S* [1-9]", reply.read(), re.MULTILINE):
                return
        if time.monotonic() > end:
            raise SystemExit("no spare session became ready")
        time.sleep(0.2)


def many(quick: bool) -> Row:
    sessions, seconds = (200, 5.0) if quick else (2000, 60.0)
    allow_files(sessions + 200)
    with server("connect4", sessions) as (url, _):
        run = Run(url, sessions, seconds, "connect4", {"opponent": "random"})
        with Progress(console=Console(stderr=True), transient=True) as progress:
            load.run(run(progress))
    slow = float(np.percentile(run.times or [np.inf], 99)) * 1e3
    done = not run.errors and len(run.times) == int(sessions * seconds)
    measured = f"{len(run.times):,} steps, {len(run.errors)} sessions failed, p99 {slow:.0f} ms"
    return Row(measured, "all succeed, p99 < 100 ms", done and slow < 100)


def drain(quick: bool) -> Row:
    clients = 20 if quick else 100
    with server("servers:Steps", clients, "--drain-timeout", "1") as (url, pid):
        ends = asyncio.run(_until_the_end(url, pid, clients))
    good = ends["closing"] == clients
    found = ", ".join(f"{count} {end}" for end, count in ends.items())
    return Row(f"clients: {found}", f"{clients} closing, none lost or doubled", good)


async def _until_the_end(url: str, pid: int, clients: int) -> Counter[str]:
    """How each client ended; the server gets its signal once all are stepping."""
    ends: Counter[str] = Counter()
    stepping = asyncio.Barrier(clients + 1)

    async def one() -> None:
        async with _connect(url) as socket:
            await _ask(socket, Open(None, {}, id=1))
            await _ask(socket, Reset(None, id=2))
            await stepping.wait()
            count = 0
            try:
                while True:
                    count += 1
                    result = await _ask(socket, Step(_GO_ON, id=2 + count))
                    if int(np.asarray(result.observation).item()) != count:
                        ends["doubled or lost"] += 1
                        return
            except ServerClosingError:
                ends["closing"] += 1
            except ConnectionClosed as error:
                told = error.rcvd is not None and error.rcvd.code == SERVER_ENDED
                ends["closing" if told else "cut off"] += 1
            except OpenEnvGymError as error:
                ends[type(error).__name__] += 1

    tasks = [asyncio.create_task(one()) for _ in range(clients)]
    await stepping.wait()
    await asyncio.sleep(0.5)
    os.kill(pid, signal.SIGTERM)
    async with asyncio.timeout(_LIMIT):
        await asyncio.gather(*tasks)
    return ends


def _connect(url: str) -> connect:
    return connect(
        url,
        subprotocols=[Subprotocol(SUBPROTOCOL)],
        compression=None,
        ping_interval=None,
        open_timeout=_LIMIT,
    )


async def _ask(socket: ClientConnection, request: Request) -> Any:
    await socket.send(encode(request))
    async with asyncio.timeout(_LIMIT):
        reply = decode(await socket.recv(decode=False))
    if isinstance(reply, Failure):
        raise reply.error()
    return reply


def fleet(quick: bool) -> Row:
    servers, lanes, every, kills = (3, 24, 3.0, 2) if quick else (8, 512, 10.0, 12)
    with contextlib.ExitStack() as stack:
        fleet = [stack.enter_context(_restarted()) for _ in range(servers)]
        envs: Any = gymnasium.make_vec(
            "openenv/Remote-v0",
            lanes,
            workers=4 * servers,
            url=[f"ws://127.0.0.1:{port}" for port, _ in fleet],
            timeout=_LIMIT,
            on_failure="restart",
            max_restarts=10_000,
        )
        stack.callback(envs.close)
        envs.reset()
        go_on = np.full(lanes, _GO_ON)
        lost = reported = 0
        slowest = 0.0
        for turn in range(kills):
            port, kill = fleet[turn % servers]
            lost += _metric(port, "openenv_gym_sessions")
            killer = threading.Timer(every / 2, kill)  # in the midst of a step
            killer.start()
            end = time.monotonic() + every
            left = 4  # steps after it: a dying server may still answer one
            while left or time.monotonic() < end:
                left -= left > 0 and not killer.is_alive()
                began = time.monotonic()
                *_, infos = envs.step(go_on)
                slowest = max(slowest, time.monotonic() - began)
                reported += int(np.sum(infos.get("_failure", 0)))
        before = envs.step(go_on)[0]
        moved = int(np.sum(envs.step(go_on)[0] == before + 1))
    met = reported == lost and moved == lanes
    measured = (
        f"{kills} kills, {reported} of {lost} losses reported, {moved} of {lanes} lanes go on"
    )
    return Row(f"{measured}; slowest step {slowest:.1f} s", "all", met)


@contextlib.contextmanager
def _restarted() -> Iterator[tuple[int, Callable[[], None]]]:
    """A server that is started again when it is killed; gives its port, and what kills it."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        fd = listener.fileno()
        command = [sys.executable, "-m", "openenv_gym.cli", "serve", "servers:Steps", "--network"]
        command += ["--fd", str(fd), "--max-sessions", "1000"]
        running = [subprocess.Popen(command, pass_fds=[fd])]

        def kill() -> None:
            running[-1].kill()
            running.append(subprocess.Popen(command, pass_fds=[fd]))

        try:
            yield listener.getsockname()[1], kill
        finally:
            for each in running:
                each.kill()
                each.wait()


def _metric(port: int, name: str) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_LIMIT) as reply:
        found = re.search(rf"^{name}{{.*}} (\S+)", reply.read().decode(), re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


ROWS: dict[str, Callable[[bool], Row]] = {
    "workers": workers,
    "small": small,
    "hung": hung,
    "docker": docker,
    "many": many,
    "drain": drain,
    "fleet": fleet,
}


def measured(names: list[str], quick: bool) -> Iterator[tuple[str, Row]]:
    """Each row in turn; one that fails is not met."""
    for name in names:
        try:
            yield name, ROWS[name](quick)
        except (OpenEnvGymError, OSError, SystemExit) as error:
            yield name, Row(f"{type(error).__name__}: {error}"[:200], "", False)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="short, to see that it works")
    parser.add_argument("--only", nargs="+", choices=ROWS, default=[*ROWS], metavar="NAME")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    # The server imports this file for its environment.
    paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    machine = describe()
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(summary(machine), style="dim", highlight=False)
    table = Table("what", "measured", "bar", "met")
    rows = dict(measured(arguments.only, arguments.quick))
    for name, row in rows.items():
        table.add_row(name, row.measured, row.bar, "[green]yes" if row.met else "[red]no")
    console.print(table)
    if arguments.json:
        report = {"machine": machine, "rows": {name: row._asdict() for name, row in rows.items()}}
        arguments.json.write_text(json.dumps(report, indent=1, default=bool) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
