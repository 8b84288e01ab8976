"""Agents who are stepped together have what trainers batch: numbers, and open masks."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from openenv_gym.pettingzoo import aec_env, parallel_env

transports = pytest.mark.parametrize("transport", ["inprocess", "process"])


def is_numeric(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "biuf"


@transports
def test_infos_are_numbers_and_the_rest_is_kept(transport: str) -> None:
    env = parallel_env("openenv/Chess-v0", opponent="self", transport=transport)
    _, infos = env.reset(seed=1)
    for _ in range(3):
        for info in infos.values():
            assert info
            assert all(map(is_numeric, info.values())), info
        assert env.unwrapped.info["fen"].count("/") == 7
        mover = f"player_{infos['player_0']['current_player_id']}"
        seen = env.observation_space(mover)
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        assert seen is not None
        *_, infos = env.step(actions)
    env.close()


def test_who_is_not_asked_may_choose_anything() -> None:
    env = parallel_env("openenv/Connect4-v0")
    observations, infos = env.reset(seed=1)
    for _ in range(6):
        mover = f"player_{infos['player_0']['current_player_id']}"
        for agent, seen in observations.items():
            assert seen["action_mask"].any()
            assert agent == mover or seen["action_mask"].all()
        observations, *_, infos = env.step({"player_0": 3, "player_1": 3})
    mover = f"player_{infos['player_0']['current_player_id']}"
    assert observations[mover]["action_mask"].tolist() == [1, 1, 1, 0, 1, 1, 1]
    env.close()


def test_the_junctions_of_a_town_have_numbers_too() -> None:
    pytest.importorskip("libsumo")
    env = parallel_env("openenv/SumoRL-v0", net="double", num_seconds=60, transport="process")
    _, infos = env.reset(seed=1)
    assert all(is_numeric(value) for info in infos.values() for value in info.values())
    assert "system_total_stopped" in env.unwrapped.info["system_info"]
    env.close()


def test_an_option_that_nobody_gave_does_no_harm() -> None:
    env = aec_env("openenv/Connect4-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env.reset(seed=1, options={"options": None})
        env.reset(seed=1, options=None)
    with pytest.warns(UserWarning, match="'options' is unknown"):
        env.reset(seed=1, options={"options": 1})
    env.close()
