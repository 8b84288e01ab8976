"""A server whose owner is gone ends, whatever it is doing."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from typing import Annotated

import gymnasium
import pytest
from gymnasium.spaces import Discrete

import openenv_gym  # registers the ids
from openenv_gym.environment import Environment
from openenv_gym.models import Action, Observation, State
from tests.servers import eventually, is_running, process

HOLD, FORK = range(2)


class Held(Action):
    do: Annotated[int, Discrete(2)]


class Seen(Observation):
    count: Annotated[int, Discrete(2)] = 0


class Holding(Environment[Held, Seen, State]):
    """Its step holds the interpreter lock for longer than any test takes."""

    def reset(self) -> Seen:
        return Seen()

    def step(self, action: Held) -> Seen:
        import ctypes

        ctypes.PyDLL(None).sleep(1000)
        return Seen()

    @property
    def state(self) -> State:
        return State()


OWNER = """
    import os, sys, gymnasium, openenv_gym
    openenv_gym.register_environment("t/Holding-v0", "tests.server.test_watcher:Holding")
    env = gymnasium.make("t/Holding-v0", transport=sys.argv[1], disable_env_checker=True)
    env.reset()
    if sys.argv[2] == "fork" and os.fork() == 0:
        print(env.unwrapped.isolation["pid"], flush=True)
        __import__("time").sleep(60)
    if sys.argv[2] == "fork":
        __import__("time").sleep(60)
    print(env.unwrapped.isolation["pid"], flush=True)
    env.step(0)
"""


@pytest.mark.parametrize("transport", ["process", "websocket", "http"])
def test_a_step_that_holds_the_interpreter_lock(transport: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), transport, "step"],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
    ) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        owner.kill()
    eventually(lambda: not is_running(server))


@pytest.mark.parametrize("transport", ["process", "websocket"])
def test_a_fork_does_not_keep_the_server_of_a_killed_owner(transport: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(OWNER), transport, "fork"],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/bin:/bin"},
        start_new_session=True,
    ) as owner:
        assert owner.stdout is not None
        server = int(owner.stdout.readline())
        owner.kill()
        try:
            eventually(lambda: not is_running(server))
        finally:
            subprocess.run(["pkill", "-KILL", "-s", str(owner.pid)], check=False)


def test_a_step_that_holds_the_interpreter_lock_leaves_other_sessions_alone() -> None:
    with process("tests.server.test_watcher:Holding") as (_, port):
        url = f"ws://127.0.0.1:{port}"
        held = gymnasium.make("openenv/Remote-v0", transport="websocket", url=url, timeout=0.5)
        other = gymnasium.make("openenv/Remote-v0", transport="websocket", url=url)
        held.reset()
        with pytest.raises(openenv_gym.errors.ExchangeTimeoutError):
            held.step(0)
        other.reset()
        other.close()
        held.close()


@pytest.mark.parametrize("backend", [(), ("--backend", "inprocess")])
def test_a_signal_ends_a_server_whose_step_holds_the_interpreter_lock(
    backend: tuple[str, ...],
) -> None:
    with process("tests.server.test_watcher:Holding", *backend) as (server, port):
        url = f"ws://127.0.0.1:{port}"
        env = gymnasium.make("openenv/Remote-v0", transport="websocket", url=url, timeout=0.5)
        env.reset()
        with pytest.raises(openenv_gym.errors.ExchangeTimeoutError):
            env.step(0)
        began = time.monotonic()
        server.terminate()
        server.wait(10.0)
        assert time.monotonic() - began < 10.0
        with pytest.raises(openenv_gym.errors.SessionLostError):
            env.reset()
        env.close()
