"""SUMO-RL: values, options, pictures and typed clients."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import OptionError
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open
from openenv_gym_envs.sumo import (
    SumoAction,
    SumoEnv,
    SumoJunctionsAction,
    SumoJunctionsEnv,
)
from openenv_gym_envs.sumo.environment import JunctionEnvironment, make
from tests.envs.sumo import (
    choices,
    nothing_runs,  # noqa: F401  # a fixture of every test
    paths,
    play,
    started,
)

REWARDS = ["diff-waiting-time", "average-speed", "queue", "pressure"]


# Values of SUMO-RL itself, one simulation after the other in this process.


@pytest.mark.parametrize("reward_fn", REWARDS)
def test_one_junction_is_as_in_sumo_rl(reward_fn: str) -> None:
    env = make(net="2way-single-intersection", reward_fn=reward_fn, num_seconds=300)  # type: ignore[arg-type]
    assert isinstance(env, JunctionEnvironment)
    env.seed(5)
    first = env.reset()
    actions = choices(60, 4)
    ours = [env.step(SumoAction(phase_id=action)) for action in actions]
    env.close()

    import sumo_rl

    theirs = sumo_rl.SumoEnvironment(
        *paths("2way-single-intersection"),
        single_agent=True,
        reward_fn=reward_fn,
        num_seconds=300,
        sumo_warnings=False,
    )
    observation, _ = theirs.reset(seed=int(np.random.default_rng(5).integers(2**31)))
    assert np.array_equal(first.observation, observation)
    for number, (one, action) in enumerate(zip(ours, actions, strict=True)):
        observation, reward, terminated, truncated, info = theirs.step(action)
        assert np.array_equal(one.observation, observation)
        assert one.reward == float(reward)
        assert (one.done, one.truncated) == (terminated or truncated, truncated)
        assert one.truncated == (number == 59)
        assert one.sim_time == info["step"] == 5.0 * (number + 1)
        for name, value in one.metadata["system_info"].items():
            assert value == pytest.approx(float(info[name]), rel=1e-12)
    theirs.close()
    rewards = {one.reward for one in ours}
    assert len(rewards) > 3


def test_all_junctions_are_as_in_sumo_rl() -> None:
    env = make(net="cologne3")
    env.seed(5)
    env.reset()
    names = list(env.spaces()["phases"])
    joint = [dict.fromkeys(names, action) for action in choices(30, 3)]
    ours = [env.step(SumoJunctionsAction(phases=phases)) for phases in joint]
    env.close()

    import sumo_rl

    theirs = sumo_rl.SumoEnvironment(*paths("cologne3"), begin_time=25200, sumo_warnings=False)
    theirs.reset(seed=int(np.random.default_rng(5).integers(2**31)))
    for one, phases in zip(ours, joint, strict=True):
        observations, rewards, _, _ = theirs.step(phases)
        assert one.rewards == rewards
        assert one.reward == sum(rewards.values())
        for name in names:
            assert np.array_equal(one.observations[name], observations[name])
    theirs.close()


# Options.


def test_one_junction_of_several_leaves_the_others_their_programs() -> None:
    env = started(net="double", junction="E")
    play(env, 1)
    import libsumo

    assert env.action_space == gymnasium.spaces.Discrete(4)
    assert libsumo.trafficlight.getProgram("E") == "online"
    assert libsumo.trafficlight.getProgram("B") == "0"
    env.close()


def test_all_of_one_junction_is_a_dict() -> None:
    env = started(junction="all")
    assert env.action_space == gymnasium.spaces.Dict({"t": gymnasium.spaces.Discrete(2)})
    assert env.metadata["agents"] == ["t"]
    env.reset(seed=1)
    _, reward, _, _, info = env.step({"t": 1})
    assert info["rewards"] == {"t": reward}
    env.close()


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"junction": "Z", "net": "double"}, "Choose B, E or 'all'"),
        ({"net": "moon"}, "single-intersection"),
        ({"delta_time": 2}, r"delta_time=2 must be more than yellow_time=2"),
        ({"reward_fn": "speed"}, "average-speed"),
        ({"num_seconds": 0}, "num_seconds"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], reported: str) -> None:
    with pytest.raises(OptionError, match=reported):
        started(**options)


@pytest.mark.parametrize("name", ["net_file", "route_file"])
def test_files_of_the_host_are_for_its_owner(name: str) -> None:
    session = Session("sumo", owner=False)
    with pytest.raises(OptionError, match=f"'{name}' is for the owner of the server alone"):
        session.handle(Open("sumo", {name: "/etc/passwd"}, None))


def test_options_set_begin_and_length_of_an_episode() -> None:
    options = {"delta_time": 10, "begin_time": 100, "num_seconds": 30, "yellow_time": 3}
    env = started(**options)
    _, info = env.reset(seed=1)
    assert info["sim_time"] == 100.0
    ends = [env.step(0)[3] for _ in range(3)]
    assert ends == [False, False, True]
    assert env.state()["sim_time"] == 130.0
    env.close()


def test_a_seed_is_not_that_of_the_episode_before() -> None:
    env = started()
    seeded = play(env, 1)
    env.action_space.seed(1)
    env.reset()
    again = [repr(env.step(env.action_space.sample())) for _ in range(20)]
    assert again != seeded[1:]
    assert play(env, 1) == seeded
    env.close()


# Views of it.


def test_the_picture_shows_vehicles() -> None:
    env = started(render_mode="rgb_array")
    env.reset(seed=1)
    empty = env.render()
    assert empty.shape == (640, 640, 3)
    assert empty.dtype == np.uint8
    for _ in range(30):
        env.step(0)
    full = env.render()
    env.close()

    def red(picture: Any) -> int:
        wide = picture.astype(int)
        return int(((wide[..., 0] > 180) & (wide[..., 1] < 90)).sum())

    # Vehicles halt in the lanes that have had no green.
    assert red(full) > red(empty) + 500


def test_the_typed_clients_of_one_junction_and_of_several() -> None:
    with SumoEnv() as one:
        one.reset(seed=1)
        result = one.step(SumoAction(phase_id=1))
        assert result.observation.observation.shape == (11,)
        assert result.observation.action_mask == [0, 1]
        assert one.state().sim_time == 5.0
    with SumoJunctionsEnv(net="double") as several:
        several.reset(seed=1)
        seen = several.step(SumoJunctionsAction(phases={"B": 1, "E": 0})).observation
        assert seen.rewards.keys() == seen.observations.keys() == {"B", "E"}
