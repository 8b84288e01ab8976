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
from tests.envs.hostile import CONTROL, PROGRAMS

Env = gymnasium.Env[Any, Any]


@pytest.fixture(
    scope="module", params=["inprocess", pytest.param("docker", marks=pytest.mark.docker)]
)
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def make(transport: str, timeout_s: float) -> Iterator[Env]:
    env = gymnasium.make(
        "openenv/Coding-v0", transport=transport, timeout_s=timeout_s, memory_mb=256
    )
    yield env
    env.close()


@pytest.fixture(scope="module")
def patient(transport: str) -> Iterator[Env]:
    yield from make(transport, 20.0)


@pytest.fixture(scope="module")
def hasty(transport: str) -> Iterator[Env]:
    yield from make(transport, 0.5)


def step(env: Env, code: str) -> tuple[str, str, int]:
    observation, *_ = env.step(code)
    assert env.observation_space.contains(observation)
    return observation["stdout"], observation["stderr"], observation["exit_code"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_hostile_program_reaches_nothing(name: str, patient: Env, hasty: Env) -> None:
    program = PROGRAMS[name]
    env = hasty if program.slow else patient
    env.reset(seed=1)
    stdout, stderr, exit_code = step(env, program.code)
    assert "SUCCEEDED" not in stdout
    assert exit_code in program.exit_codes, (stdout, stderr)
    assert program.told in stdout + stderr, (stdout, stderr)
    # The episode goes on, though what a program has left in its namespace may spoil the next step.
    after = step(env, "1 + 1")
    env.reset(seed=1)
    assert step(env, "len('abc'), sorted(globals())") == (CLEAN, "", 0), after


CLEAN = '[3, ["__builtins__", "__doc__", "__loader__", "__name__", "__package__", "__spec__"]]'


def test_what_succeeds_is_seen(patient: Env) -> None:
    patient.reset()
    assert CONTROL.told in step(patient, CONTROL.code)[0]


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


def test_other_episodes_go_on_beside_a_thread_bomb(transport: str, hasty: Env) -> None:
    """Of the same kind of sandbox, started while the bomb goes off."""
    hasty.reset()
    bomb = PROGRAMS["memory: small stacks of threads"].code
    thread = threading.Thread(target=step, args=(hasty, bomb))
    thread.start()
    for others in make(transport, 20.0):
        others.reset()
        assert step(others, "1 + 1") == ("2", "", 0)
    thread.join()
