"""Frames of Pong per second, with the usual preprocessing: ours beside what trainers use.

    python benchmarks/atari.py [--quick] [--lanes N] [--rounds N] [--json FILE]

Every lane shows four grayscale pictures of 84x84, each the brighter of the last two of four frames,
and begins with up to 30 steps that do nothing. A step is one call for all lanes: a step of N lanes
draws 4 N frames of the game. Ours has a worker for each core, and gymnasium's wrappers in them.

EnvPool is measured where it is installed (``pip install envpool``), Stable-Baselines3 likewise.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ale_py
import gymnasium
import numpy as np
from ale_py.vector_env import AtariVectorEnv
from gymnasium.vector import AsyncVectorEnv
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from numpy.typing import NDArray
from rich.console import Console
from vector import Vector

import openenv_gym
from openenv_gym.cli.benchmark import machine, suite
from openenv_gym.cli.benchmark.measure import QUICK, Candidate, Effort, UnavailableError
from openenv_gym.cli.benchmark.report import FORMAT, Bar, save, show

LANES = 16
CORES = os.cpu_count() or 1
ID = "openenv-bench/Pong-v0"
OURS = "process"
PEERS = ("EnvPool", "AtariVectorEnv", "AsyncVectorEnv", "SubprocVecEnv")
"""What ours is to be nearly as fast as, each of them."""
GOAL = 0.9


def pong() -> gymnasium.Env[Any, Any]:
    """Make one lane: the game, with gymnasium's own preprocessing."""
    gymnasium.register_envs(ale_py)
    ale_py.ALEInterface.setLoggerMode(ale_py.LoggerMode.Error)  # else each writes its banner
    env = gymnasium.make("ALE/Pong-v5", frameskip=1, repeat_action_probability=0.0)
    return FrameStackObservation(AtariPreprocessing(env), 4)


def _ours(lanes: int) -> Any:
    if ID not in gymnasium.registry:
        openenv_gym.register_environment(ID, "atari:pong")
    return gymnasium.make_vec(ID, num_envs=lanes, transport="process", workers=CORES)


def _envpool(lanes: int) -> Any:
    try:
        import envpool  # type: ignore[import-not-found,unused-ignore]
    except ImportError as error:
        raise UnavailableError(f"EnvPool is not installed: {error}") from error
    return _Whole(envpool.make_gymnasium("Pong-v5", num_envs=lanes, num_threads=CORES))


def _subprocesses(lanes: int) -> Any:
    try:
        from stable_baselines3.common.vec_env import SubprocVecEnv
    except ImportError as error:
        raise UnavailableError(f"Stable-Baselines3 is not installed: {error}") from error
    return _Whole(SubprocVecEnv([pong] * lanes))


class _Whole:
    """A vector environment that is not gymnasium's, as far as it is measured."""

    def __init__(self, envs: Any) -> None:
        self._envs = envs
        self.action_space = gymnasium.spaces.MultiDiscrete([6] * int(envs.num_envs))

    def reset(self, seed: int) -> tuple[Any, dict[str, Any]]:
        return self._envs.reset(), {}

    def step(self, actions: NDArray[np.int64]) -> Any:
        return self._envs.step(actions)

    def close(self) -> None:
        self._envs.close()


def candidates(lanes: int) -> list[Candidate]:
    """What is measured."""
    # That with a process a lane first: what it forks is small then.
    makers: dict[str, Callable[[], Any]] = {
        "AsyncVectorEnv": lambda: AsyncVectorEnv([pong] * lanes),
        "SubprocVecEnv": lambda: _subprocesses(lanes),
        "EnvPool": lambda: _envpool(lanes),
        "AtariVectorEnv": lambda: AtariVectorEnv("pong", lanes, num_threads=CORES),
        OURS: lambda: _ours(lanes),
    }
    return [Vector(name, make) for name, make in makers.items()]


def measure(lanes: int, effort: Effort, *, quick: bool) -> dict[str, Any]:
    """Measure all of them; return the report."""
    described = machine.describe()  # before: our own load is not of interest
    workload = f"Pong, {lanes} lanes"
    measured, missing = suite.measured(workload, candidates(lanes), effort)
    rows = [
        {
            "workload": workload,
            "candidate": name,
            **(row := one.row()),
            "frames_per_s": 4 * lanes * row["steps_per_s"],
        }
        for name, one in measured.items()
    ]
    absent = [
        {"workload": workload, "candidate": name, "reason": why} for name, why in missing.items()
    ]
    return {
        "format": FORMAT,
        "machine": described,
        "settings": {**vars(effort), "quick": quick, "lanes": lanes},
        "rows": rows,
        "absent": absent,
        "bars": [Bar(workload, OURS, peer, GOAL, rate=True).judge(rows) for peer in PEERS],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a look; not to be quoted")
    parser.add_argument("--lanes", type=int, metavar="N", default=LANES, help=f"lanes ({LANES})")
    parser.add_argument("--rounds", type=int, metavar="N", help="blocks of each candidate")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report here")
    given = parser.parse_args()
    effort = QUICK if given.quick else Effort(seconds=0.5)
    if given.rounds:
        effort = Effort(given.rounds, effort.seconds, effort.steps, effort.warm_up)
    report = measure(given.lanes, effort, quick=given.quick)
    console = Console(width=None if sys.stdout.isatty() else 110)
    show(console, report)
    for row in report["rows"]:
        console.print(f"{row['candidate']}: {row['frames_per_s']:,.0f} frames of the game a second")
    if given.json:
        save(given.json, report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
