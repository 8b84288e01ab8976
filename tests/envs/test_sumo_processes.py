"""SUMO-RL: one simulation in a process, and none that outlives its owner."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import EnvironmentFailedError, TransportError
from tests.envs.sumo import (
    ID,
    apart,
    choices,
    nothing_runs,  # noqa: F401  # a fixture of every test
    paths,
    play,
    started,
)
from tests.servers import eventually, is_running, kill, serving


def test_a_second_simulation_has_a_process_of_its_own() -> None:
    first, second = started(), started()
    (pid,) = apart()
    traces = []
    for env, seed in ((first, 1), (second, 2)):
        env.reset(seed=seed)
    for _ in range(15):  # in turn
        traces.append([repr(env.step(1)) for env in (first, second)])
    second.close()
    eventually(lambda: not is_running(pid))
    first.close()
    for column, seed in ((0, 1), (1, 2)):
        alone = started()
        assert not apart()  # the place in this one is free again
        alone.reset(seed=seed)
        assert [repr(alone.step(1)) for _ in range(15)] == [pair[column] for pair in traces]
        alone.close()


def test_one_that_is_dropped_leaves_its_place() -> None:
    env = started()
    env.reset(seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        del env
        gc.collect()
    env = started()
    assert not apart()
    env.close()


def test_the_users_own_simulation_is_left_alone() -> None:
    env = started()  # which loads the library
    env.close()
    import libsumo

    libsumo.start(["sumo", "-n", paths("double")[0]])
    env = started()
    assert len(apart()) == 1
    env.reset(seed=1)
    env.step(0)
    assert libsumo.simulation.getTime() == 0.0
    env.close()
    libsumo.close()


def test_a_simulation_that_the_user_replaced_says_so() -> None:
    env = started()
    env.reset(seed=1)
    env.step(0)
    import libsumo

    libsumo.start(["sumo", "-n", paths("double")[0]])
    for call in (lambda: env.step(0), lambda: env.reset(seed=1)):
        with pytest.raises(EnvironmentFailedError, match="Other code of this process"):
            call()
    env.close()
    assert libsumo.isLoaded()  # which is the user's
    libsumo.close()


def test_a_process_that_dies_is_replaced_by_reset() -> None:
    here, env = started(), started()
    wanted = play(env, 1)
    (pid,) = apart()
    kill(pid)
    with pytest.raises(TransportError):
        env.step(0)
    assert play(env, 1) == wanted
    assert len(apart()) == 1
    env.close()
    here.close()


_OWNER = """
import time
from openenv_gym.env import OpenEnvGym
envs = [OpenEnvGym("openenv/SumoRL-v0") for _ in range(2)]
for env in envs:
    env.reset(seed=0)
print(flush=True)
time.sleep(1000)
"""


def test_no_simulation_outlives_its_owner() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", _OWNER],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        text=True,
    )
    assert owner.stdout is not None
    owner.stdout.readline()
    (pid,) = apart(owner.pid)
    owner.send_signal(signal.SIGKILL)
    owner.wait()
    owner.stdout.close()
    eventually(lambda: not is_running(pid))


def test_sessions_of_one_server_are_separate() -> None:
    alone = started()
    wanted = {seed: play(alone, seed, 8) for seed in (1, 2)}
    alone.close()
    with serving("sumo") as served:
        envs = {
            seed: OpenEnvGym(ID, transport="websocket", url=served.url("websocket"))
            for seed in (1, 2)
        }
        for seed, env in envs.items():
            env.action_space.seed(seed)
            traces = {seed: [repr(env.reset(seed=seed)[0])] for seed, env in envs.items()}
        for _ in range(8):
            for seed, env in envs.items():
                traces[seed].append(repr(env.step(env.action_space.sample())))
        for env in envs.values():
            env.close()
    assert traces == wanted


@pytest.mark.parametrize("workers", [1, 2])
def test_lanes_are_separate(workers: int) -> None:
    actions = [choices(6, 2), [1] * 6]
    alone = started()
    rewards = []
    for lane in range(2):
        alone.reset(seed=7 + lane)
        rewards.append([alone.step(action)[1] for action in actions[lane]])
    alone.close()
    transport = "inprocess" if workers == 1 else "process"
    envs = gymnasium.make_vec(ID, num_envs=2, transport=transport, workers=workers)
    envs.reset(seed=7)
    got = [envs.step(np.array(pair))[1] for pair in zip(*actions, strict=True)]
    envs.close()
    assert np.array(got).T.tolist() == rewards


def test_nothing_is_imported_or_set_for_the_user() -> None:
    code = """
import os, sys
import openenv_gym_envs.sumo.environment
assert not {"libsumo", "traci", "sumo_rl", "pandas"} & sys.modules.keys()
from openenv_gym.env import OpenEnvGym
OpenEnvGym("openenv/SumoRL-v0").close()
assert "LIBSUMO_AS_TRACI" not in os.environ
assert "PIL" not in sys.modules
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, env=environment)
