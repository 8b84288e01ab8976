"""``copy=False``: the same values, in memory that is written again by the next step but one."""

from __future__ import annotations

import os
import signal
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from openenv_gym.testing import same
from tests.vector.lanes import Make

LANES, SIZE = 4, 1 << 14

KINDS = [
    pytest.param({"transport": "process"}, id="process"),
    pytest.param({"transport": "process", "workers": 2}, id="process, two workers"),
    pytest.param({"transport": "inprocess", "workers": 2}, id="inprocess, two workers"),
    pytest.param({"transport": "websocket", "workers": 2}, id="websocket, two workers"),
]


def played(envs: Any, steps: int) -> list[Any]:
    """What resets and steps gave, each copied as late as it may be."""
    seen: list[Any] = []
    held = envs.reset(seed=5)[0]
    for number in range(steps):
        if number == 2:
            envs.call("state")  # something between two steps
        observations, *rest = envs.step(np.zeros(LANES, np.int64))
        seen.append(deepcopy(held))
        seen.append(deepcopy(rest))
        held = observations
    return [*seen, deepcopy(held)]


@pytest.mark.parametrize("keywords", KINDS)
def test_the_values_are_the_same(make: Make, keywords: dict[str, Any]) -> None:
    usual = played(make(LANES, size=SIZE), 6)
    assert same(played(make(LANES, size=SIZE, copy=False, **keywords), 6), usual)


@pytest.mark.parametrize("keywords", KINDS[:2])
def test_the_memory_is_written_again(make: Make, keywords: dict[str, Any]) -> None:
    envs = make(LANES, size=SIZE, copy=False, **keywords)
    envs.reset(seed=5)
    actions = np.zeros(LANES, np.int64)
    frames = [envs.step(actions)[0]["frame"] for _ in range(5)]
    assert np.shares_memory(frames[1], frames[3])
    assert not np.shares_memory(frames[3], frames[4])


@pytest.mark.parametrize("keywords", KINDS[:2])
def test_copies_are_the_callers_own(make: Make, keywords: dict[str, Any]) -> None:
    envs = make(LANES, size=SIZE, **keywords)
    envs.reset(seed=5)
    actions = np.zeros(LANES, np.int64)
    frames = [envs.step(actions)[0]["frame"] for _ in range(5)]
    for number, frame in enumerate(frames):
        assert frame.flags.writeable
        assert not any(np.shares_memory(frame, other) for other in frames[number + 1 :])


def test_a_worker_that_is_lost_takes_no_observations_with_it(make: Make) -> None:
    envs = make(LANES, size=SIZE, copy=False, workers=2, transport="process", on_failure="restart")
    actions = np.zeros(LANES, np.int64)
    envs.reset(seed=5)
    last = deepcopy(envs.step(actions)[0])
    os.kill(envs.isolation[0]["pid"], signal.SIGKILL)
    observations, _, _, truncated, infos = envs.step(actions)
    assert truncated.tolist() == [True, True, False, False]
    assert same(observations["frame"][:2], last["frame"][:2])
    assert infos["_failure"].tolist() == truncated.tolist()
    assert envs.step(actions)[0]["count"].tolist() == [0, 0, 3, 3]
