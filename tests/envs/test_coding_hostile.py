"""Hostile programs: each is contained, the episode goes on, and the next one is clean."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym_envs.sandbox import process
from openenv_gym_envs.sandbox.boundary import Landlock
from openenv_gym_envs.sandbox.inside.landlock import abi
from tests.envs.attacks import CONTROL, PROGRAMS
from tests.envs.victim import Victim

Env = gymnasium.Env[Any, Any]


@pytest.fixture(
    scope="module",
    params=["strongest", "landlock", pytest.param("docker", marks=pytest.mark.docker)],
)
def around(request: pytest.FixtureRequest) -> str:
    """What is around the code: what is strongest here, Landlock alone, or a container."""
    name: str = request.param
    return name


def make(around: str, timeout_s: float, version: int | None = None) -> Iterator[Env]:
    transport = "docker" if around == "docker" else "inprocess"
    with pytest.MonkeyPatch.context() as patch:
        if around == "landlock":
            if abi() < (version or 2):
                pytest.skip("this kernel has no such version of Landlock")
            landlock = Landlock(version)
            patch.setattr(process, "boundary", lambda: landlock)
        env = gymnasium.make(
            "openenv/Coding-v0", transport=transport, timeout_s=timeout_s, memory_mb=256
        )
        yield env
        env.close()


@pytest.fixture(scope="module")
def patient(around: str) -> Iterator[Env]:
    yield from make(around, 20.0)


@pytest.fixture(scope="module")
def hasty(around: str) -> Iterator[Env]:
    yield from make(around, 0.5)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    folder = tmp_path_factory.mktemp("victim")
    for path in (folder, folder.parent, folder.parent.parent):
        path.chmod(0o755)
    with Victim(folder) as victim:
        yield victim


def step(env: Env, code: str) -> tuple[str, str, int]:
    observation, *_ = env.step(code)
    assert env.observation_space.contains(observation)
    return observation["stdout"], observation["stderr"], observation["exit_code"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_reaches_nothing(
    name: str, patient: Env, hasty: Env, victim: Victim
) -> None:
    attack(name, hasty if PROGRAMS[name].slow else patient, victim)


def attack(name: str, env: Env, victim: Victim) -> None:
    program = PROGRAMS[name]
    env.reset(seed=1)
    stdout, stderr, exit_code = step(env, victim.code(program.code))
    assert "SUCCEEDED" not in stdout, stdout
    assert exit_code in program.exit_codes, (stdout, stderr)
    if exit_code == program.exit_codes[0]:  # what it may end with as well, in its time, says less
        assert program.reported in stdout + stderr, (stdout, stderr)
    victim.check()
    # The episode goes on, though what a program has left in its namespace may spoil the next step.
    after = step(env, "1 + 1")
    env.reset(seed=1)
    assert step(env, "len('abc'), sorted(globals())") == (CLEAN, "", 0), after


OF_VERSIONS = ("signals:", "sockets:", "files:", "processes:", "network:")


@pytest.mark.parametrize("version", range(2, 7))
def test_an_older_landlock_will_do(version: int, victim: Victim) -> None:
    """What one can do that the next cannot is about these."""
    for env in make("landlock", 20.0, version):
        for name in PROGRAMS:
            if name.startswith(OF_VERSIONS) and not PROGRAMS[name].slow:
                attack(name, env, victim)


CLEAN = '[3, ["__builtins__", "__doc__", "__loader__", "__name__", "__package__", "__spec__"]]'


def test_what_succeeds_is_seen(patient: Env) -> None:
    patient.reset()
    assert CONTROL.reported in step(patient, CONTROL.code)[0]


def test_a_listener_of_this_host_is_out_of_reach(hasty: Env) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        hasty.reset()
        code = f"import socket; socket.create_connection(('127.0.0.1', {port}))"
        assert "PermissionError" in step(hasty, code)[1]


def test_a_file_of_this_host_is_out_of_reach(hasty: Env, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("do not tell")
    tmp_path.chmod(0o755)
    secret.chmod(0o666)
    hasty.reset()
    for path in (secret, Path("/proc/1/root", *secret.parts[1:]), Path(__file__)):
        _, stderr, exit_code = step(hasty, f"print(open({str(path)!r}).read())")
        assert exit_code == 1
        assert "FileNotFoundError" in stderr or "PermissionError" in stderr
    assert step(hasty, f"import os; os.remove({str(secret)!r})")[2] == 1
    assert secret.read_text() == "do not tell"


def test_threads_that_stay_get_no_time_between_steps(patient: Env) -> None:
    patient.reset()
    count = "import threading, time\nticks = [time.monotonic()]\n"
    count += "def tick():\n    while True:\n        time.sleep(0.01)\n"
    count += "        ticks.append(time.monotonic())\n"
    step(patient, count + "threading.Thread(target=tick, daemon=True).start()")
    time.sleep(1.0)
    gap = "time.sleep(0.1); max(b - a for a, b in zip(ticks, ticks[1:])) > 0.8"
    assert step(patient, gap)[0] == "true"


def test_other_episodes_go_on_beside_a_thread_bomb(around: str, hasty: Env) -> None:
    """Of the same kind of sandbox, started while the bomb goes off."""
    hasty.reset()
    bomb = PROGRAMS["memory: small stacks of threads"].code
    thread = threading.Thread(target=step, args=(hasty, bomb))
    thread.start()
    for others in make(around, 20.0):
        others.reset()
        assert step(others, "1 + 1") == ("2", "", 0)
    thread.join()
