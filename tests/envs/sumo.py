"""What the tests of SUMO-RL share."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym_envs.sumo.networks import NETWORKS, folder

ID = "openenv/SumoRL-v0"


@pytest.fixture(autouse=True)
def nothing_runs() -> Iterator[None]:
    """Before and after a test there is no simulation in this process."""
    assert not in_this_process()
    yield
    gc.collect()
    assert not in_this_process()


def in_this_process() -> bool:
    libsumo = sys.modules.get("libsumo")
    return bool(libsumo and libsumo.isLoaded())


def started(**options: Any) -> OpenEnvGym:
    return OpenEnvGym(ID, **options)


def apart(owner: int | None = None) -> list[int]:
    """Simulations that have a process of their own, children of a process, by default of this."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
            command = stat.with_name("cmdline").read_bytes()
            if parent == (owner or os.getpid()) and b"sumo.simulation" in command:
                found.append(int(stat.parent.name))
    return found


def play(env: OpenEnvGym, seed: int, steps: int = 20) -> list[Any]:
    env.action_space.seed(seed)
    observation, _ = env.reset(seed=seed)
    trace = [repr(observation)]
    for _ in range(steps):
        trace.append(repr(env.step(env.action_space.sample())))
    return trace


def choices(count: int, phases: int) -> list[int]:
    return np.random.default_rng(3).integers(phases, size=count).tolist()


def paths(name: str) -> tuple[str, str]:
    network = NETWORKS[name]
    return str(folder() / network.net_file), str(folder() / network.route_file)
