"""`make soak`: all kinds of faults for as long as wanted, and a table of what came of them.

python -m tests.faults.soak [--share 0.1] [--only websocket kills ...] [--seed 1]

A share of it can be run by itself, and shares of different seeds added up.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from openenv_gym.env import OpenEnvGym
from tests.environments import INLINE, THREADED
from tests.faults.kills import HERE, LIMIT, STUBBORN, cases, kill_all
from tests.faults.proxy import CUTS, DELIVERIES
from tests.faults.steps import Steps, play
from tests.faults.strangers import FACES, Toll, under_attack
from tests.servers import process

STEPS, EACH = 100_000, 17
TRAINERS, WITH_CONTAINERS = 300, 60
MALFORMED, SLOW = 50_000, 1000


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    bar: str
    reached: str
    right: bool

    def __str__(self) -> str:
        return f"| {self.what} | {self.bar} | {self.reached} | {'yes' if self.right else 'NO'} |"


def websocket(share: float, seed: int) -> Iterator[Row]:
    """Yield what came of steps through WebSockets that break."""
    yield _through_faults("websocket", share, seed)


def http(share: float, seed: int) -> Iterator[Row]:
    """Yield what came of steps through HTTP connections that break."""
    yield _through_faults("http", share, seed)


def pipe(share: float, seed: int) -> Iterator[Row]:
    """Yield what came of steps in a process of their own."""
    steps = max(200, round(STEPS * share))
    yield _steps("process", [play(THREADED, "process", steps, seed=seed)])


def _through_faults(transport: str, share: float, seed: int) -> Row:
    done = []
    for number, environment in enumerate((THREADED, INLINE)):
        with process(environment) as (_, port):
            played = play(
                environment,
                transport,
                max(100, round(STEPS * share / 2)),
                port=port,
                faults=(*CUTS, *CUTS, *DELIVERIES),
                each=EACH,
                seed=2 * seed + number,
                size=1 + 20_000 * number,
            )
        done.append(played)
    return _steps(transport, done)


def _steps(transport: str, done: list[Steps]) -> Row:
    faults = sum(sum(each.faults.values()) for each in done)
    cuts = sum(each.faults.get(cut, 0) for each in done for cut in CUTS)
    reached = (
        f"{sum(each.steps for each in done):,} steps, {cuts:,} cuts of {faults:,} faults: "
        f"{sum(each.differ for each in done)} differ, {sum(each.lost for each in done)} lost, "
        f"{sum(each.doubled for each in done)} doubled"
    )
    right = all(each.right for each in done)
    return Row(f"steps over {transport}", "bit-identical; 0 lost, 0 doubled", reached, right)


def kills(share: float, seed: int) -> Iterator[Row]:
    """Yield what came of trainers that were killed."""
    count = max(3, round((TRAINERS - WITH_CONTAINERS) * share))
    yield _killed("trainers killed", list(cases(count, _STARTING, random.Random(seed))))


def containers(share: float, seed: int) -> Iterator[Row]:
    """Yield what came of trainers that were killed, whose environment was in a container."""
    count = max(3, round(WITH_CONTAINERS * share))
    with stubborn_image() as image:
        chosen = list(cases(count, ("docker",), random.Random(seed), image))
        yield _killed("trainers killed, with containers", chosen)


_STARTING = ("process", "websocket", "http")


def _killed(what: str, chosen: list) -> Row:  # type: ignore[type-arg]
    killed = kill_all(chosen)
    left = [each for each in killed if each.left]
    for each in left:
        print(f"left behind: {each}", file=sys.stderr)
    seconds = [each.seconds for each in killed]
    median = statistics.median(seconds)
    reached = (
        f"{len(killed)}: {len(left)} left something; p50 {median:.1f} s, at most {max(seconds):.1f}"
    )
    return Row(what, f"0 left after {LIMIT:g} s; p50 < 2 s", reached, not left and median < 2.0)


@contextmanager
def stubborn_image() -> Iterator[str]:
    """Have an image with the stubborn environment, while the block runs."""
    from openenv_gym_transports.containers.engine import connect
    from openenv_gym_transports.images.build import build_image

    tag = f"openenv-gym-test/stubborn:{os.getpid()}"
    build_image(STUBBORN, tag=tag, include=[HERE / "stubborn.py"])
    try:
        yield tag
    finally:
        client = connect()
        client.images.remove(tag, force=True)
        client.close()


def strangers(share: float, seed: int) -> Iterator[Row]:
    """Yield what strangers cost a server."""
    for face in FACES:
        with process(THREADED, "--max-sessions", "64") as (server, port):
            count = round(MALFORMED * share)
            toll = under_attack(server.pid, port, face, count, SLOW, seed=seed)
            yield _toll(face, toll, alive=server.poll() is None)


def _toll(face: str, toll: Toll, *, alive: bool) -> Row:
    reached = (
        f"{'up' if alive else 'DOWN'}, {toll.taken:,} malformed and {SLOW:,} slow: "
        f"{toll.memory:+.0f} MB, {toll.sessions} sessions left, {toll.rate:.0%} of the steps/s"
    )
    right = alive and toll.memory < 20 and toll.sessions == 0 and toll.rate >= 0.8
    return Row(
        f"strangers over {face}", "up; < 20 MB; 0 sessions; >= 80 % of steps/s", reached, right
    )


def programs(share: float, seed: int) -> Iterator[Row]:
    """Yield what came of hostile programs, and of hostile servers, whose tests know them."""
    for what, files in (
        ("hostile programs of Coding", ["tests/envs/test_coding_hostile.py"]),
        (
            "hostile commands and programs of Git",
            [f"tests/envs/test_git_{name}.py" for name in ("refusals", "hostile", "programs")],
        ),
        ("hostile programs in a container", ["tests/envs/test_sandbox_container.py"]),
        ("hostile servers", ["tests/transports/test_hostile_servers.py"]),
    ):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0", *files],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
        )
        last = run.stdout.strip().rpartition("\n")[2]
        right = run.returncode == 0 and bool(re.search(r"\d+ passed", last))
        yield Row(what, "100 % contained, next episode clean", last, right)


def unfaulted_rate(seconds: float = 2.0) -> str:
    """Return how fast this machine steps with nothing in the way, to read the table by."""
    from tests.faults.strangers import steps_per_second

    with process(THREADED) as (_, port):
        env = OpenEnvGym(THREADED, transport="websocket", url=f"ws://127.0.0.1:{port}")
        try:
            return f"{steps_per_second(env, seconds):,.0f} steps/s over a WebSocket, undisturbed"
        finally:
            env.close()


PARTS: dict[str, Callable[[float, int], Iterator[Row]]] = {
    "websocket": websocket,
    "http": http,
    "process": pipe,
    "kills": kills,
    "containers": containers,
    "strangers": strangers,
    "programs": programs,
}


def main() -> int:
    """Run the parts and print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument(
        "--share", type=float, default=1.0, help="of what the bars ask for; all takes about an hour"
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    logging.disable(logging.WARNING)  # thousands of lost connections
    load = f"load {os.getloadavg()[0]:.1f} of {os.cpu_count()} cores"
    print(f"seed {arguments.seed}; {load}; {unfaulted_rate()}\n")
    print("| what | bar | reached | right |\n|---|---|---|---|", flush=True)
    right = True
    for name in arguments.only:
        for row in PARTS[name](arguments.share, arguments.seed):
            print(row, flush=True)
            right = right and row.right
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
