"""An environment that is used by two threads, by a fork, or after an interruption."""

from __future__ import annotations

import os
import signal
import threading
import time

import gymnasium
import pytest

import openenv_gym
from openenv_gym.errors import EpisodeError, ExchangeTimeoutError, SessionLostError
from openenv_gym.testing import Env
from tests.environments import COUNT, WAIT

WIRES = ["process", "websocket", "http"]
ID = "openenv-gym-tests/Shared-v0"
openenv_gym.register_environment(ID, "tests.environments:Counting", delay=600.0)


def make(transport: str, **keywords: object) -> Env:
    return gymnasium.make(ID, transport=transport, disable_env_checker=True, **keywords)


@pytest.mark.parametrize("transport", WIRES)
def test_threads_take_turns(transport: str) -> None:
    counts: list[int] = []
    with make(transport) as env:
        env.reset(seed=0)

        def work() -> None:
            for _ in range(50):
                counts.append(int(env.step(COUNT)[0]["count"]))  # as they come

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(counts) == list(range(1, 101))


@pytest.mark.parametrize("transport", WIRES)
def test_a_fork_is_refused_and_leaves_the_parent_alone(transport: str) -> None:
    with make(transport) as env:
        env.reset(seed=0)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                env.step(COUNT)
            except SessionLostError as error:
                code = 0 if "fork" in str(error) else 2
            env.close()
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert env.step(COUNT)[0]["count"] == 1


@pytest.mark.parametrize("transport", WIRES)
def test_a_step_that_hangs_is_ended_and_reset_goes_on_with_a_fresh_one(transport: str) -> None:
    with make(transport, timeout=20.0) as env:
        env.reset(seed=0)
        wanted = env.step(COUNT)[0]
        env.unwrapped.link.timeout = 1.0
        with pytest.raises(ExchangeTimeoutError):
            env.step(WAIT)
        with pytest.raises(EpisodeError, match="lost"):
            env.step(COUNT)
        env.reset(seed=0)
        assert env.step(COUNT)[0]["noise"].tolist() == wanted["noise"].tolist()


@pytest.mark.parametrize("transport", WIRES)
def test_an_interrupted_step_is_lost(transport: str) -> None:
    with make(transport) as env:
        env.reset(seed=0)

        def interrupt() -> None:
            time.sleep(1.0)
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            env.step(WAIT)
        thread.join()
        with pytest.raises(EpisodeError, match="lost"):
            env.step(COUNT)
