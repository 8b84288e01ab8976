"""Ctrl-C while a request is on its way: what follows is never taken for the rest of it."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import Annotated

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from openenv_gym import Action, Array, Environment, Observation, State
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import EpisodeError, SessionLostError

SIZE = 1 << 23  # more than the buffers of any connection take
LARGE = np.ones(SIZE, np.uint8)


class LargeAction(Action):
    data: Annotated[Array, Box(0, 255, (SIZE,), np.uint8)]


class Count(Observation):
    count: Annotated[int, Discrete(1 << 20)] = 0


class Counter(Environment[LargeAction, Count, State]):
    """Counts its steps, whose actions take long to send."""

    def __init__(self) -> None:
        self._count = 0

    def reset(self) -> Count:
        self._count = 0
        return Count()

    def step(self, action: LargeAction) -> Count:
        self._count += 1
        return Count(count=self._count)

    @property
    def state(self) -> State:
        return State(step_count=self._count)


@pytest.mark.parametrize("transport", ["process", "websocket", "http"])
def test_interrupted_while_sending(transport: str) -> None:
    env = OpenEnvGym(f"{__name__}:Counter", transport=transport, timeout=120.0)
    with contextlib.closing(env):
        env.reset(seed=0)
        assert env.step(LARGE)[0] == 1
        server = env.isolation["pid"]
        os.kill(server, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            env.step(LARGE)
        os.kill(server, signal.SIGCONT)
        with pytest.raises(EpisodeError, match="lost"):
            env.step(LARGE)
        # A session whose connection cannot be replaced is lost; the next one is a fresh one.
        with contextlib.suppress(SessionLostError):
            env.reset(seed=0)
        assert env.reset(seed=0)[0] == 0
        assert env.step(LARGE)[0] == 1
