"""SUMO-RL: all junctions as agents of PettingZoo."""

from __future__ import annotations

import warnings

import pytest

from openenv_gym.pettingzoo import aec_env, parallel_env
from tests.envs.sumo import (
    ID,
    nothing_runs,  # noqa: F401  # a fixture of every test
)

with warnings.catch_warnings():
    # Its tests import a game of its own in a way that it calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test

remarks = pytest.mark.filterwarnings(
    # Its tests give an option that no environment knows; junctions have names of their own.
    "ignore:.*'options' is unknown.*left out:UserWarning",
    "ignore:We recommend agents to be named:UserWarning",
)


OPTIONS = {"net": "double", "num_seconds": 100}


@remarks
@pytest.mark.parametrize("transport", ["inprocess", "websocket"])
def test_pettingzoos_own_test(transport: str) -> None:
    env = parallel_env(ID, transport=transport, **OPTIONS)
    parallel_api_test(env, num_cycles=40)
    env.close()


@remarks
def test_pettingzoos_other_tests() -> None:
    parallel_seed_test(lambda: parallel_env(ID, **OPTIONS), num_cycles=25)
    env = aec_env(ID, **OPTIONS)
    api_test(env, num_cycles=40)
    env.close()


def test_each_junction_is_an_agent() -> None:
    env = parallel_env(ID, net="cologne3", num_seconds=10)
    observations, infos = env.reset(seed=1)
    assert env.agents == list(observations) == list(infos)
    assert len(env.agents) == 3
    for agent in env.agents:
        assert env.observation_space(agent).contains(observations[agent])
    for _ in range(2):
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        _, rewards, terminations, truncations, infos = env.step(actions)
    assert list(rewards) == env.possible_agents
    assert all(truncations.values())
    assert not any(terminations.values())
    assert infos["360082"]["sim_time"] == 25210.0
    assert env.agents == []
    env.close()
