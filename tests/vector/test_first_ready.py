"""send() and recv(): a slow lane does not hold up the others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

from openenv_gym.errors import EpisodeError, ExchangeTimeoutError, OptionError
from openenv_gym.testing import same
from openenv_gym.vector import OpenEnvVectorEnv
from tests.environments import COUNT, THREADED, WAIT
from tests.servers import Served, serving

DELAY = 2.5
TRANSPORTS = ("process", "websocket", "http")


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(THREADED) as served:
        yield served


def over(transport: str, server: Served) -> dict[str, Any]:
    """The keywords of a transport; one server is enough for those that have one."""
    network = transport in ("websocket", "http")
    return {"transport": transport, "url": server.url(transport) if network else None}


@pytest.fixture(params=TRANSPORTS)
def envs(request: pytest.FixtureRequest, server: Served) -> Iterator[OpenEnvVectorEnv]:
    keywords = over(request.param, server)
    made = OpenEnvVectorEnv(THREADED, num_envs=3, workers=3, delay=DELAY, **keywords)
    made.reset(seed=0)
    yield made
    made.close()


def test_the_slow_one_is_not_waited_for(envs: OpenEnvVectorEnv) -> None:
    begun = time.monotonic()
    envs.send([COUNT, WAIT, COUNT], [0, 1, 2])
    counts = np.zeros(3, int)
    for _ in range(5):
        got: set[int] = set()
        while got != {0, 2}:
            lanes, observations, rewards, *_ = envs.recv(1)
            assert 1 not in lanes
            assert len(lanes) == len(rewards) == len(observations["count"])
            counts[lanes] = observations["count"]
            got |= set(lanes.tolist())
        envs.send([COUNT, COUNT], [2, 0])
    assert time.monotonic() - begun < DELAY
    lanes, observations, *_ = envs.recv(3)
    assert sorted(lanes.tolist()) == [0, 1, 2]
    counts[lanes] = observations["count"]
    assert counts.tolist() == [6, 1, 6]
    envs.step([COUNT] * 3)


def test_timeout(envs: OpenEnvVectorEnv) -> None:
    envs.send([WAIT], [1])
    with pytest.raises(ExchangeTimeoutError, match="1 lanes"):
        envs.recv(1, timeout=0.05)
    lanes, observations, *_ = envs.recv(1)
    assert lanes.tolist() == [1]
    assert observations["count"].tolist() == [1]


def test_out_of_turn(envs: OpenEnvVectorEnv) -> None:
    with pytest.raises(EpisodeError, match="1 lanes cannot answer"):
        envs.recv(1)
    envs.send([WAIT], [0])
    with pytest.raises(EpisodeError, match="2 lanes cannot answer"):
        envs.recv(2)
    for call in (envs.reset, envs.render, lambda: envs.step([COUNT] * 3)):
        with pytest.raises(EpisodeError, match="recv"):
            call()
    with pytest.raises(EpisodeError, match=r"\[0\]"):
        envs.send([COUNT, COUNT], [1, 0])
    assert envs.recv(1)[0].tolist() == [0]
    with pytest.raises(EpisodeError, match="cannot answer"):  # lane 1 was sent nothing
        envs.recv(1)


@pytest.mark.parametrize(
    ("actions", "lanes"), [([0], [3]), ([0], [-1]), ([0, 0], [1, 1]), ([0], [0, 1]), ([0, 0], [0])]
)
def test_wrong_lanes(actions: list[int], lanes: list[int]) -> None:
    envs = OpenEnvVectorEnv(THREADED, num_envs=3)
    envs.reset()
    with pytest.raises(OptionError, match="once"):
        envs.send(actions, lanes)
    envs.close()


def test_lanes_of_one_worker() -> None:
    envs = OpenEnvVectorEnv(THREADED, num_envs=4, workers=2, transport="process")
    envs.reset()
    envs.send([COUNT], [1])
    with pytest.raises(EpisodeError, match="recv"):
        envs.send([COUNT, COUNT], [2, 0])
    lanes, *_ = envs.recv()
    assert lanes.tolist() == [1]
    envs.send([COUNT, COUNT, COUNT], [3, 0, 2])
    lanes, observations, *_ = envs.recv(3)
    assert lanes.tolist() == [0, 2, 3]
    assert observations["count"].tolist() == [1, 1, 1]
    assert envs.step([COUNT] * 4)[0]["count"].tolist() == [2, 2, 2, 2]
    envs.close()


def _row(results: tuple[Any, ...], row: int) -> list[Any]:
    """What the results say of one lane."""
    observations, rewards, terminated, truncated, infos = results
    final = infos.get("final_obs")
    return [
        {key: value[row] for key, value in observations.items()},
        rewards[row],
        terminated[row],
        truncated[row],
        None if final is None else final[row],
    ]


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("transport", ["inprocess", *TRANSPORTS])
def test_the_same_trajectories(server: Served, transport: str, mode: AutoresetMode) -> None:
    lanes, steps = 3, 7
    keywords: dict[str, Any] = {
        "num_envs": lanes,
        "max_episode_steps": 3 if mode is not AutoresetMode.DISABLED else None,
        "autoreset_mode": mode,
    }
    at_once = OpenEnvVectorEnv(THREADED, **keywords)
    in_turn = OpenEnvVectorEnv(THREADED, workers=lanes, **over(transport, server), **keywords)
    at_once.reset(seed=[1, 2, 3])
    in_turn.reset(seed=[1, 2, 3])
    wanted = [at_once.step([COUNT] * lanes) for _ in range(steps)]
    made = [0] * lanes
    order = np.random.default_rng(0)
    ready = list(range(lanes))
    while ready or min(made) < steps:
        chosen = [lane for lane in ready if order.random() < 0.7 and made[lane] < steps]
        if chosen:
            in_turn.send([COUNT] * len(chosen), chosen)
        ready = [lane for lane in ready if lane not in chosen and made[lane] < steps]
        if len(ready) == lanes - sum(count == steps for count in made):
            continue  # nothing is under way
        numbers, *results = in_turn.recv(1)
        for row, lane in enumerate(numbers.tolist()):
            assert same(_row(tuple(results), row), _row(wanted[made[lane]], lane)), (lane, made)
            made[lane] += 1
            ready.append(lane)
    assert made == [steps] * lanes
    at_once.close()
    in_turn.close()
