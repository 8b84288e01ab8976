"""The lanes of a vector environment: their number, workers, seeds and options."""

from __future__ import annotations

import os
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.vector import AutoresetMode

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import (
    OptionError,
)
from openenv_gym.testing import same
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings
from openenv_gym.vector import OpenEnvVectorEnv
from openenv_gym.vector.workers import Worker
from openenv_gym.wire.busy_wait import LANES_LIMIT, LIMIT
from openenv_gym.wire.messages import OpenVector
from openenv_gym_transports.inprocess import InProcessTransport
from tests.environments import COUNT, THREADED
from tests.vector.lanes import CONNECT4, Make, connect4


def noise(envs: OpenEnvVectorEnv, seed: Any) -> Any:
    return envs.reset(seed=seed)[0]["noise"]


@pytest.mark.parametrize(("lanes", "workers"), [(0, 1), (-1, 1), (2, 3), (2, 0)])
def test_counts_that_make_no_lanes(lanes: int, workers: int) -> None:
    with pytest.raises(OptionError, match=f"num_envs={lanes} "):
        connect4(lanes, workers=workers)


class TestSeeds:
    def test_a_number_counts_on(self, make: Make) -> None:
        envs = make(4, workers=3)
        assert same(noise(envs, 7), noise(envs, [7, 8, 9, 10]))
        assert not same(noise(envs, 7)[0], noise(envs, 7)[1])

    def test_they_are_the_seeds_of_single_environments(self) -> None:
        """The opponent begins with a random column, by the seed of the lane."""
        options: dict[str, Any] = {"opponent": "random", "agent_player": -1}
        envs, single = connect4(3, **options), gymnasium.make(CONNECT4, **options)
        observations, _ = envs.reset(seed=[3, 4, 3])
        for lane, seed in enumerate([3, 4, 3]):
            assert same(observations[lane], single.reset(seed=seed)[0])
        envs.close()
        single.close()

    def test_some_lanes_without(self, make: Make) -> None:
        envs = make(2)
        one, other = noise(envs, [5, None]), noise(envs, [5, None])
        assert same(one[0], other[0])
        assert not same(one[1], other[1])

    def test_wrong_number(self, make: Make) -> None:
        with pytest.raises(OptionError, match="2 seeds for 3 lanes"):
            make(3).reset(seed=[1, 2])


class TestLanes:
    @pytest.mark.parametrize("workers", [2, 3, 5])
    def test_workers_make_no_difference(self, make: Make, workers: int) -> None:
        one, many = make(5, max_episode_steps=3), make(5, workers=workers, max_episode_steps=3)
        assert same(one.reset(seed=1), many.reset(seed=1))
        for _ in range(8):
            assert same(one.step([COUNT] * 5), many.step([COUNT] * 5))

    @pytest.mark.parametrize(("alone", "awake"), [(True, LANES_LIMIT), (False, LIMIT)])
    def test_only_one_alone_is_waited_for_awake(self, alone: bool, awake: float) -> None:
        request = OpenVector(THREADED, [{}])
        seen: list[LinkSettings] = []

        class Noting(InProcessTransport):
            def open(self, request: Any, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
                seen.append(settings)
                return super().open(request, settings)

        worker = Worker(Noting(), request, range(1), alone=alone, core=None)
        worker.open()
        assert [settings.busy_wait for settings in seen] == [awake]
        worker.close()

    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the kernel does not tell")
    @pytest.mark.parametrize("transport", ["process", "websocket"])
    def test_as_many_as_cores_have_one_each(
        self, monkeypatch: pytest.MonkeyPatch, transport: str
    ) -> None:
        cores_of = os.sched_getaffinity
        some = sorted(cores_of(0))[:2]
        if len(some) < 2:
            pytest.skip("there is one core")
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(some))
        for workers, wanted in ((2, [{some[0]}, {some[1]}]), (3, [cores_of(0)] * 3)):
            envs = OpenEnvVectorEnv(THREADED, num_envs=3, workers=workers, transport=transport)
            assert [cores_of(one["pid"]) for one in envs.isolation] == wanted
            envs.close()

    def test_options_of_lanes(self) -> None:
        sides: list[dict[str, Any]] = [{"agent_player": 1}, {"agent_player": -1}] * 2
        for workers in (1, 3):
            envs = connect4(4, opponent="random", lane_options=sides, workers=workers)
            observations, infos = envs.reset(seed=0)
            assert np.abs(observations).sum((1, 2)).tolist() == [0, 1, 0, 1]
            assert infos["next_player"].tolist() == [1, -1, 1, -1]
            envs.close()

    @pytest.mark.parametrize("workers", [1, 2])
    def test_lanes_of_different_spaces(self, make: Make, workers: int) -> None:
        with pytest.raises(OptionError, match="observation_space"):
            make(2, workers=workers, lane_options=[{"size": 1}, {"size": 2}])

    @pytest.mark.parametrize(
        ("keywords", "said"),
        [
            ({"lane_options": [{}]}, "1 items for 3 lanes"),
            ({"workers": 4}, "1 to 3 can"),
            ({"workers": 0}, "1 to 3 can"),
            ({"on_failure": "ignore"}, "'raise' or 'restart'"),
            ({"autoreset_mode": "Sometimes"}, "'NextStep', 'SameStep', 'Disabled'"),
            ({"speed": 3}, "speed"),
        ],
    )
    def test_wrong_keywords(self, make: Make, keywords: dict[str, Any], said: str) -> None:
        with pytest.raises(OptionError, match=said):
            make(3, **keywords)

    def test_spec_is_json(self) -> None:
        envs = connect4(3, workers=2, autoreset_mode="SameStep", opponent="random")
        assert envs.spec is not None
        spec = EnvSpec.from_json(envs.spec.to_json())
        assert spec == envs.spec
        again = gymnasium.make_vec(spec, num_envs=3)
        assert again.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
        assert same(envs.reset(seed=4), again.reset(seed=4))
        envs.close()
        again.close()
