"""Over Ray: trajectories, losses, limits and options of actors on a real one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ConnectError,
    ExchangeTimeoutError,
    OptionError,
    SessionLostError,
    StartError,
    UnknownOptionError,
)
from openenv_gym.server.backend import BackendSettings
from openenv_gym.testing import play, same
from openenv_gym.vector import OpenEnvVectorEnv
from openenv_gym.wire.messages import Step
from tests.environments import COUNT, THREADED, WAIT
from tests.servers import eventually, is_running, serving

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.usefixtures("local_ray")

LIMIT = 120.0  # a busy machine takes long to start an actor


def make(environment: str = THREADED, **options: Any) -> Any:
    transport = {"start_timeout": LIMIT, **options.pop("transport_options", {})}
    return OpenEnvGym(environment, transport="ray", transport_options=transport, **options)


def test_lanes_are_those_in_process_and_a_killed_actor_costs_its_own() -> None:
    """Two actors; observations too large for a message of Ray's, so they arrive read-only."""
    keywords: dict[str, Any] = {"num_envs": 4, "size": 100_000, "workers": 2}
    ours = OpenEnvVectorEnv(
        THREADED, transport="ray", on_failure="restart", timeout=LIMIT, **keywords
    )
    plain = OpenEnvVectorEnv(THREADED, transport="inprocess", **keywords)
    try:
        assert same(ours.reset(seed=3), plain.reset(seed=3))
        for _ in range(3):
            got = ours.step(np.full(4, COUNT))
            assert same(got, plain.step(np.full(4, COUNT)))
            assert got[0]["frame"].flags.writeable
        os.kill(ours.isolation[1]["pid"], signal.SIGKILL)
        _, _, _, truncated, infos = ours.step(np.full(4, COUNT))
        assert truncated.tolist() == [False, False, True, True]
        assert "actor" in infos["failure"][2]
        observations, *_ = ours.step(np.full(4, COUNT))
        assert observations["count"].tolist() == [5, 5, 0, 0]
    finally:
        ours.close()
        plain.close()


def test_a_killed_actor_is_an_error_and_not_a_second_step(tmp_path: Path) -> None:
    diary = tmp_path / "diary"
    with make(delay=60.0, diary=str(diary)) as env:
        env.reset(seed=1)
        pid = env.isolation["pid"]
        env.link.send(Step(WAIT))
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(SessionLostError, match=r"(?s)actor is gone.*worker process has died"):
            env.link.receive(LIMIT)
        with pytest.raises(SessionLostError, match="actor is gone"):
            env.step(COUNT)
        assert [line.split()[0] for line in diary.read_text().splitlines()] == ["made", "reset"]
        env.reset(seed=1)
        assert env.isolation["pid"] != pid
        assert env.step(COUNT)[0]["count"] == 1
    eventually(lambda: not is_running(pid))


def test_a_step_that_takes_too_long_ends_its_actor() -> None:
    """And frees what was set aside for it."""
    free = ray.cluster_resources()["CPU"]
    wanted = {"num_cpus": 0.5, "scheduling_strategy": "SPREAD"}
    with make(delay=600.0, timeout=LIMIT, transport_options=wanted) as env:
        env.reset()
        pid = env.isolation["pid"]
        eventually(lambda: ray.available_resources()["CPU"] == free - 0.5, LIMIT)
        env.link.timeout = 0.5
        with pytest.raises(ExchangeTimeoutError):
            env.step(WAIT)
        eventually(lambda: not is_running(pid))
    eventually(lambda: ray.available_resources()["CPU"] == free, LIMIT)


def test_what_cannot_be_placed_is_an_error_in_time() -> None:
    with pytest.raises(StartError, match=r"did not start.*Ray has this free: \{'CPU'"):
        make(transport_options={"resources": {"no-such-thing": 1}, "start_timeout": 1.0})


@pytest.mark.parametrize(
    ("options", "kind", "match"),
    [
        ({"num_cpus": -1}, OptionError, "num_cpus=-1"),
        ({"num_cpus": "two"}, OptionError, "num_cpus='two'"),
        ({"resources": {"a": -2}}, OptionError, "a=-2"),
        ({"resources": {"CPU": 1}}, OptionError, "Ray refuses.*num_cpus"),
        ({"scheduling_strategy": "ANY"}, OptionError, "Ray refuses.*SPREAD"),
        ({"retries": 1}, UnknownOptionError, "'retries' is unknown"),
        ({"address": "10.0.0.1:6379"}, OptionError, "is connected to the Ray at"),
    ],
)
def test_options_are_checked(options: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        make(transport_options=options)


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_nothing_at_the_address(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    with pytest.raises(ConnectError, match=r"127.0.0.1:1.*ray start") as caught:
        make(transport_options={"address": f"{scheme}127.0.0.1:1"})
    assert caught.value.fields["address"] == f"{scheme}127.0.0.1:1"


def test_secrets_are_not_shown() -> None:
    from openenv_gym_transports.ray import RayTransport

    assert "hush" not in repr(RayTransport(runtime_env={"env_vars": {"KEY": "hush"}}))


def test_behind_a_server() -> None:
    backend = BackendSettings(name="ray", options={"start_timeout": LIMIT})
    with serving("connect4", backend=backend) as server:
        env = gymnasium.make(
            "openenv/Connect4-v0", url=server.url("websocket"), timeout=LIMIT, depth=2
        )
        with env, gymnasium.make("openenv/Connect4-v0", depth=2) as plain:
            assert same(list(play(env, seed=5, steps=20)), list(play(plain, seed=5, steps=20)))


_OWNER = """
import os, signal, sys, ray
from openenv_gym.env import OpenEnvGym

env = OpenEnvGym("echo", transport="ray", transport_options={"address": sys.argv[1]})
env.reset()
print(env.isolation["pid"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_an_actor_ends_with_the_program_that_made_it() -> None:
    address = ray.get_runtime_context().gcs_address
    done = subprocess.run(
        [sys.executable, "-c", _OWNER, address],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "RAY_AUTH_MODE": "token"},
        stdout=subprocess.PIPE,
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    pid = int(done.stdout.split()[-1])
    eventually(lambda: not is_running(pid))
