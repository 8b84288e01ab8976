"""``mask_in_observation=True``: the legal actions are in the observation, over each transport."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import OptionError
from tests.servers import serving

CONNECT4 = "openenv/Connect4-v0"
SPACE = Dict(observations=Box(-1, 1, (6, 7), np.int8), action_mask=Box(0, 1, (7,), np.int8))


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_a_game(transport: str) -> None:
    options = {"opponent": "random", "transport": transport}
    plain = gymnasium.make(CONNECT4, **options)
    env = gymnasium.make(CONNECT4, mask_in_observation=True, **options)
    assert env.observation_space == SPACE
    (board, info), (seen, _) = plain.reset(seed=3), env.reset(seed=3)
    over = False
    while not over:
        assert env.observation_space.contains(seen)
        assert np.array_equal(seen["observations"], board)
        assert np.array_equal(seen["action_mask"], info["action_mask"])
        action = int(info["action_mask"].argmax())
        board, _, over, _, info = plain.step(action)
        seen, *rest = env.step(action)
        assert rest[1] == over
    plain.close()
    env.close()


@pytest.mark.parametrize("mode", ["SameStep", "NextStep"])
def test_lanes(mode: str) -> None:
    envs: Any = gymnasium.make_vec(
        CONNECT4, num_envs=3, mask_in_observation=True, opponent="random", autoreset_mode=mode
    )
    assert envs.single_observation_space == SPACE
    observations, _ = envs.reset(seed=0)
    finals = 0
    for _ in range(40):
        assert np.array_equal(observations["action_mask"], envs.action_masks())
        observations, _, ended, _, infos = envs.step(observations["action_mask"].argmax(1))
        assert envs.observation_space.contains(observations)
        for lane in np.flatnonzero(ended) if mode == "SameStep" else ():
            assert SPACE.contains(infos["final_obs"][lane])
            finals += 1
    assert finals > 3 or mode == "NextStep"
    envs.close()


@pytest.mark.parametrize("backend", ["inprocess", "process"])
def test_strangers_may_choose_it(backend: str) -> None:
    with serving("connect4", backend=backend) as served:
        url = served.url("websocket")
        env = gymnasium.make(CONNECT4, mask_in_observation=True, url=url)
        assert SPACE.contains(env.reset(seed=0)[0])
        env.close()


@pytest.mark.parametrize(
    ("id", "value", "said"),
    [
        ("openenv/Echo-v0", True, "which echo does not"),
        (CONNECT4, 1, "not a bool"),
    ],
)
def test_what_is_refused(id: str, value: Any, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        gymnasium.make(id, mask_in_observation=value)
