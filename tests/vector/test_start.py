"""Workers start side by side, and whatever goes wrong with that leaves nothing behind."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

import pytest

from openenv_gym.errors import OpenEnvGymError, OptionError
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings
from openenv_gym.vector import OpenEnvVectorEnv
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym_transports.docker import DockerTransport
from openenv_gym_transports.inprocess import InProcessTransport
from openenv_gym_transports.process import ProcessTransport
from openenv_gym_transports.websocket import WebSocketTransport
from tests.environments import THREADED
from tests.servers import eventually
from tests.troubles import nothing_left
from tests.vector.lanes import Make


class Meeting(InProcessTransport):
    """Opens links when so many wait for that, or one is left."""

    name = "meeting"
    limit = 3

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "barrier", threading.Barrier(3))
        object.__setattr__(self, "open_now", [0])
        object.__setattr__(self, "most", [0])

    @property
    def side_by_side(self) -> int:
        return 3

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        self.open_now[0] += 1  # type: ignore[attr-defined]
        self.most[0] = max(self.most[0], self.open_now[0])  # type: ignore[attr-defined]
        self.barrier.wait(60.0)  # type: ignore[attr-defined]
        link = super().open(request, settings)
        self.open_now[0] -= 1  # type: ignore[attr-defined]
        return link


def test_as_many_as_the_transport_says_start_side_by_side(make: Make) -> None:
    transport = Meeting()
    envs = make(6, workers=6, transport=transport)
    observations, _ = envs.reset(seed=1)
    assert observations["count"].tolist() == [0] * 6
    assert transport.most == [3]  # type: ignore[attr-defined]


def test_what_transports_say() -> None:
    assert InProcessTransport().side_by_side == 1
    assert ProcessTransport().side_by_side > 64
    assert ProcessTransport(url="unix:///tmp/x").side_by_side == 1
    assert WebSocketTransport().side_by_side > 64
    assert WebSocketTransport(url="ws://127.0.0.1:1").side_by_side == 1
    assert DockerTransport().side_by_side == min(4, os.cpu_count() or 1)


@pytest.mark.parametrize("bad", [0, 2])
def test_one_that_does_not_start_ends_the_others(bad: int) -> None:
    lanes: list[dict[str, Any]] = [{} for _ in range(3)]
    lanes[bad] = {"size": "no number"}
    with nothing_left(), pytest.raises(OpenEnvGymError):
        OpenEnvVectorEnv(THREADED, num_envs=3, workers=3, transport="process", lane_options=lanes)


def test_lanes_of_different_spaces_are_refused() -> None:
    lanes: list[dict[str, Any]] = [{}, {"size": 7}]
    with nothing_left(), pytest.raises(OptionError, match="observation_space"):
        OpenEnvVectorEnv(THREADED, num_envs=2, workers=2, transport="process", lane_options=lanes)


class Interrupted(InProcessTransport):
    """Interrupts whoever waits, and opens later."""

    name = "interrupted"

    def __init__(self) -> None:
        super().__init__()
        object.__setattr__(self, "links", [])

    @property
    def side_by_side(self) -> int:
        return 2

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        if request.first == 0:  # type: ignore[union-attr]
            signal_main_thread()
        time.sleep(1.0)
        link = super().open(request, settings)
        self.links.append(link)  # type: ignore[attr-defined]
        return link


def signal_main_thread() -> None:
    import signal

    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def test_an_interrupt_does_not_wait_and_leaves_nothing() -> None:
    transport = Interrupted()
    with pytest.raises(KeyboardInterrupt):
        OpenEnvVectorEnv(THREADED, num_envs=2, workers=2, transport=transport)
    links = transport.links  # type: ignore[attr-defined]
    eventually(lambda: links and all(link.is_closed for link in links))
