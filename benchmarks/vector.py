"""What a step of many lanes costs, beside gymnasium's vector environments and OpenEnv itself.

    python benchmarks/vector.py [--quick] [--only NAME ...] [--json FILE]

Prints a table for each group, then the bars of this project and whether they are met. All
candidates of a group run in turn, block by block; a ratio is the median of the ratios of blocks of
the same round. A step is one call of ``envs.step(actions)``: all lanes. OpenEnv has no such call:
its step is 64 sessions of its asynchronous client, awaited together by ``asyncio.gather``.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import itertools
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from numpy.typing import NDArray
from peers import Gather
from rich.console import Console
from sessions import server

from openenv_gym.cli.benchmark import machine, suite
from openenv_gym.cli.benchmark.measure import QUICK, Candidate, Effort, UnavailableError
from openenv_gym.cli.benchmark.report import FORMAT, Bar, save, show
from openenv_gym.cli.benchmark.workloads import WORKLOADS, Workload, register
from openenv_gym.errors import OpenEnvGymError

LANES, SB3_LANES = 64, 16
_BATCHES = 64  # of actions, used again and again
_WIDTH = 110  # where the output is not a terminal

Envs = VectorEnv[Any, Any, Any]


class Vector(Candidate):
    """A vector environment.

    Args:
        name: How it is called.
        make: Makes it.
        masked: Actions are taken from the masks in the infos; else any will do.
    """

    def __init__(self, name: str, make: Callable[[], Envs], *, masked: bool = False) -> None:
        self.name = name
        self._make = make
        self._masked = masked
        self._envs: Envs | None = None
        self.passes = 1 if masked else 2

    def start(self) -> None:
        """Implements Candidate.start."""
        try:
            self._envs = envs = self._make()
            _, self._infos = envs.reset(seed=0)
        except OpenEnvGymError as error:
            raise UnavailableError(str(error)) from error
        envs.action_space.seed(0)
        self._actions = [envs.action_space.sample() for _ in range(_BATCHES)]
        self._random = np.random.default_rng(0)

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block."""
        envs = self._envs
        assert envs is not None
        times = np.empty(steps, np.int64)
        for i, actions in zip(range(steps), self._choices(), strict=False):
            began = perf_counter_ns()
            *_, self._infos = envs.step(actions)
            times[i] = perf_counter_ns() - began
        if self._masked:
            # To find legal actions is the agent's affair.
            return times, int(times.sum()) / 1e9
        chosen = list(itertools.islice(itertools.cycle(self._actions), steps))
        begin = perf_counter()
        for actions in chosen:
            envs.step(actions)
        return times, perf_counter() - begin

    def _choices(self) -> Iterator[Any]:
        if not self._masked:
            yield from itertools.cycle(self._actions)
        while True:
            masks = self._infos["action_mask"]
            yield (self._random.random(masks.shape) * masks).argmax(1)

    def close(self) -> None:
        """Implements Candidate.close."""
        if self._envs is not None:
            self._envs.close()


class Trainer(Candidate):
    """Lanes of Connect4 as Stable-Baselines3 has them, on a server over WebSocket.

    Args:
        name: How it is called.
        make: Makes its ``VecEnv``, given the keywords of the environment.
    """

    def __init__(self, name: str, make: Callable[[dict[str, Any]], Any]) -> None:
        self.name = name
        self.passes = 1
        self._make = make
        self._stack = contextlib.ExitStack()

    def start(self) -> None:
        """Implements Candidate.start."""
        url, _ = self._stack.enter_context(server("connect4", SB3_LANES))
        keywords = {"transport": "websocket", "url": url.removesuffix("/ws"), "opponent": "random"}
        try:
            self._envs = self._make(keywords)
        except ImportError as error:
            raise UnavailableError(f"Stable-Baselines3 is not installed: {error}") from error
        self._stack.callback(self._envs.close)
        self._envs.seed(0)
        self._envs.reset()
        self._random = np.random.default_rng(0)

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block: masks and step, as MaskablePPO asks for them."""
        envs, times = self._envs, np.empty(steps, np.int64)
        for i in range(steps):
            began = perf_counter_ns()
            masks = np.stack(envs.env_method("action_masks"))
            spent = perf_counter_ns() - began
            actions = (self._random.random(masks.shape) * masks).argmax(1)
            began = perf_counter_ns()
            envs.step(actions)
            times[i] = perf_counter_ns() - began + spent
        return times, int(times.sum()) / 1e9

    def close(self) -> None:
        """Implements Candidate.close."""
        self._stack.close()


def _vec_env(keywords: dict[str, Any]) -> Any:
    from openenv_gym.sb3 import make_vec_env

    return make_vec_env("openenv/Connect4-v0", SB3_LANES, monitor=False, **keywords)


def _dummy_vec_env(keywords: dict[str, Any]) -> Any:
    from stable_baselines3.common.vec_env import DummyVecEnv

    return DummyVecEnv(
        [lambda: gymnasium.make("openenv/Connect4-v0", **keywords)] * SB3_LANES  # type: ignore[list-item]
    )


def ours(workload: Workload, transport: str, workers: int = 1, *, copy: bool = True) -> Candidate:
    """Our vector environment over a transport."""

    def make() -> Envs:
        options = dict(workload.options)
        return gymnasium.make_vec(
            workload.id,
            num_envs=LANES,
            transport=transport,
            workers=workers,
            copy=copy,
            **options,
        )

    name = transport if workers == 1 else f"{transport} x {workers}"
    name += "" if copy else ", views"
    return Vector(name, make, masked=workload.plain is None)


def _make_plain(id: str) -> gymnasium.Env[Any, Any]:
    register()
    return gymnasium.make(id)


def asynchronous(workload: Workload, *, copy: bool = True) -> Candidate:
    """Gymnasium's vector environment of a process for each lane, over the plain environment."""
    assert workload.plain is not None, "there is a plain twin"
    one = functools.partial(_make_plain, workload.plain)
    name = "AsyncVectorEnv" if copy else "AsyncVectorEnv, views"
    return Vector(name, lambda: AsyncVectorEnv([one] * LANES, copy=copy))


def synchronous(workload: Workload) -> Candidate:
    """Gymnasium's vector environment in one process, over single environments of ours."""
    one = functools.partial(gymnasium.make, workload.id, transport="inprocess")
    return Vector("SyncVectorEnv", lambda: SyncVectorEnv([one] * LANES))


@dataclass(frozen=True)
class Group:
    """Candidates that are compared.

    Attributes:
        name: What they step.
        candidates: Makes them.
        bars: Reference, candidate, and at least how many times the steps per second.
    """

    name: str
    candidates: Callable[[], list[Candidate]]
    bars: tuple[tuple[str, str, float], ...]


_SMALL, _STACK, _CHESS = (WORKLOADS[name] for name in ("small", "84x84x4", "chess"))
_NOOP = f"{LANES} lanes, no-op"

GROUPS = (
    Group(
        _NOOP,
        # That with a process a lane first: what it forks is small then.
        lambda: [
            asynchronous(_SMALL),
            Gather(_SMALL, LANES),
            ours(_SMALL, "process"),
            ours(_SMALL, "websocket"),
        ],
        (
            ("AsyncVectorEnv", "process", 8),
            ("openenv gather", "process", 40),
            ("AsyncVectorEnv", "websocket", 4),
            ("openenv gather", "websocket", 20),
        ),
    ),
    Group(
        f"{LANES} lanes, 84x84x4 uint8",
        lambda: [
            asynchronous(_STACK),
            asynchronous(_STACK, copy=False),
            Gather(_STACK, LANES),
            ours(_STACK, "websocket"),
            ours(_STACK, "process", 2),
            ours(_STACK, "process", 2, copy=False),
        ],
        (
            ("AsyncVectorEnv", "websocket", 1),
            ("openenv gather", "websocket", 50),
            ("AsyncVectorEnv", "process x 2", 6),
            ("AsyncVectorEnv", "process x 2, views", 9),
        ),
    ),
    Group(
        f"{LANES} lanes, no-op, in process",
        lambda: [synchronous(_SMALL), ours(_SMALL, "inprocess")],
        (("SyncVectorEnv", "inprocess", 1.5),),
    ),
    Group(
        f"{LANES} lanes, chess",
        lambda: [ours(_CHESS, "process"), ours(_CHESS, "process", 2), ours(_CHESS, "ray", 2)],
        (("process", "process x 2", 1.6), ("process x 2", "ray x 2", 0.9)),
    ),
    Group(
        f"{SB3_LANES} lanes, SB3, Connect4, websocket",
        lambda: [Trainer("DummyVecEnv", _dummy_vec_env), Trainer("make_vec_env", _vec_env)],
        (("DummyVecEnv", "make_vec_env", 5),),
    ),
)


def measure(groups: list[Group], only: list[str], effort: Effort, *, quick: bool) -> dict[str, Any]:
    """The whole of it, as a report."""
    register()
    described = machine.describe()  # before: our own load is not of interest
    rows: list[dict[str, Any]] = []
    absent: list[dict[str, Any]] = []
    bars: list[dict[str, Any]] = []
    for group in groups:
        candidates = [one for one in group.candidates() if not only or one.name in only]
        measured, missing = suite.measured(group.name, candidates, effort)
        named = {"workload": group.name}
        rows += [{**named, "candidate": name, **one.row()} for name, one in measured.items()]
        absent += [{**named, "candidate": name, "reason": why} for name, why in missing.items()]
        for reference, name, goal in group.bars:
            if not only or {reference, name} <= {one.name for one in candidates}:
                bars.append(Bar(group.name, name, reference, goal, rate=True).judge(rows))
    settings = {**vars(effort), "quick": quick}
    return {
        "format": FORMAT,
        "machine": described,
        "settings": settings,
        "rows": rows,
        "absent": absent,
        "bars": bars,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look; not to be quoted")
    parser.add_argument(
        "--groups", nargs="+", metavar="WORD", default=[], help="groups whose name has one of these"
    )
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", default=[], help="candidates to measure (all)"
    )
    parser.add_argument("--rounds", type=int, metavar="N", help="blocks of each candidate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    given = parser.parse_args()
    groups = [g for g in GROUPS if not given.groups or any(w in g.name for w in given.groups)]
    effort = QUICK if given.quick else Effort(seconds=0.3)
    if given.rounds:
        effort = Effort(given.rounds, effort.seconds, effort.steps, effort.warm_up)
    report = measure(groups, given.only, effort, quick=given.quick)
    show(Console(width=None if sys.stdout.isatty() else _WIDTH), report)
    if given.json:
        save(given.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
