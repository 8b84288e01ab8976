"""Copies: pickles are recipes, deep copies have the episode, snapshots go over every transport."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import cloudpickle
import gymnasium
import numpy as np
import pytest

from openenv_gym.errors import CopyError, NotResetError, SnapshotError
from openenv_gym.testing import same
from openenv_gym.wire.messages import Restore, Snapshot
from tests.servers import serving

transports = pytest.mark.parametrize("transport", ["inprocess", "process", "websocket"])
over_a_wire = pytest.mark.parametrize("transport", ["process", "http"])


def make(id: str = "openenv/Connect4-v0", **keywords: Any) -> Any:
    return gymnasium.make(id, **{"transport": "inprocess", **keywords})


@transports
@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_a_pickle_is_a_recipe(transport: str, dumps: Any) -> None:
    env = make(transport=transport, opponent="random", max_episode_steps=9)
    env.reset(seed=1)
    wanted = env.step(3)[0]
    twin = pickle.loads(dumps(env))
    assert twin.spec == env.spec
    with pytest.raises(NotResetError):
        twin.unwrapped.step(3)
    twin.reset(seed=1)
    assert np.array_equal(twin.step(3)[0], wanted)
    twin.close()
    env.step(3)  # goes on
    env.close()


def test_a_pickle_of_lanes_is_a_recipe() -> None:
    envs: Any = gymnasium.make_vec("openenv/Connect4-v0", num_envs=2, transport="process")
    envs.reset(seed=1)
    twin = pickle.loads(pickle.dumps(envs))
    assert np.array_equal(twin.reset(seed=1)[0], envs.reset(seed=1)[0])
    twin.close()
    envs.close()


@pytest.mark.parametrize(
    ("id", "keywords"),
    [
        ("openenv/Connect4-v0", {"opponent": "random"}),
        ("openenv/DIPGSafety-v0", {}),  # copied as objects: it has no snapshot
        ("openenv/Gymnasium-v0", {"env_id": "CartPole-v1"}),
        ("openenv/Gymnasium-v0", {"env_id": "FrozenLake-v1"}),
    ],
)
def test_a_deep_copy_has_an_episode_of_its_own(id: str, keywords: dict[str, Any]) -> None:
    env = make(id, **keywords)
    env.reset(seed=3)
    env.action_space.seed(5)
    twin = copy.deepcopy(env)
    actions = [env.action_space.sample() for _ in range(4)]
    assert same(twin.action_space.sample(), actions[0])
    ours = [env.step(action) for action in actions[:1]]
    theirs = [twin.step(action) for action in actions[:1]]
    assert same(ours, theirs)
    twin.reset(seed=9)
    twin.close()
    env.reset(seed=3)
    assert same([env.step(action) for action in actions[:1]], ours)
    env.close()


def test_a_deep_copy_before_the_first_reset() -> None:
    env = make()
    twin = copy.deepcopy(env)
    twin.reset(seed=0)
    with pytest.raises(NotResetError):
        env.unwrapped.step(0)
    twin.close()
    env.close()


def test_a_deep_copy_of_lanes() -> None:
    envs: Any = gymnasium.make_vec("openenv/Gymnasium-v0", num_envs=2, env_id="CartPole-v1")
    envs.reset(seed=0)
    twin = copy.deepcopy(envs)
    first = twin.step([1, 1])
    assert same(envs.step([1, 1]), first)
    twin.close()
    envs.step([0, 0])
    envs.close()


@over_a_wire
def test_over_a_transport_a_deep_copy_is_refused(transport: str) -> None:
    env = make(transport=transport)
    env.reset(seed=0)
    with pytest.raises(CopyError, match=r"snapshot\(\)"):
        copy.deepcopy(env)
    with pytest.raises(TypeError, match=r"snapshot\(\)"):
        copy.deepcopy(env.unwrapped)
    env.step(0)
    env.close()
    envs: Any = gymnasium.make_vec("openenv/Connect4-v0", num_envs=2, transport=transport)
    with pytest.raises(CopyError, match="cannot be copied"):
        copy.deepcopy(envs)
    envs.reset(seed=0)
    envs.close()


def test_what_python_would_make_anew_is_not_a_copy() -> None:
    pytest.importorskip("ale_py")
    env = make("openenv/Gymnasium-v0", env_id="ale_py:ALE/Pong-v5")
    env.reset(seed=0)
    with pytest.raises(CopyError, match="without the episode"):
        copy.deepcopy(env)
    env.step(0)
    env.close()


@transports
def test_branches(transport: str) -> None:
    env, other = make(transport=transport, opponent="random"), make(opponent="random")
    env.reset(seed=1)
    env.step(3)
    saved = env.unwrapped.snapshot()
    branches = []
    for column in range(7):
        env.unwrapped.restore(saved)
        first = env.step(column)
        branches.append([first, env.step(3), env.unwrapped.action_masks()])
        other.unwrapped.restore(saved)  # which was never reset
        again = [other.unwrapped.step(column), other.unwrapped.step(3)]
        assert same([*again, other.unwrapped.action_masks()], branches[-1])
    assert len({str(branch[0][0]) for branch in branches}) == 7
    env.close()
    other.close()


def test_the_end_of_an_episode_is_saved_too() -> None:
    env = make(opponent="self")
    env.reset(seed=0)
    for column in (0, 1, 0, 1, 0, 1, 0):
        env.step(column)
    saved = env.unwrapped.snapshot()
    env.reset(seed=0)
    env.unwrapped.restore(saved)
    with pytest.raises(Exception, match="episode is over"):
        env.unwrapped.step(0)
    env.close()


@transports
def test_what_is_not_a_snapshot(transport: str) -> None:
    env, echo = make(transport=transport), make("openenv/Echo-v0")
    with pytest.raises(NotResetError, match="no episode to save"):
        env.unwrapped.snapshot()
    env.reset(seed=0)
    echo.reset(seed=0)
    for data in (b"", b"\xc1", b"\x80", b"\x01", echo.unwrapped.snapshot()):
        with pytest.raises(SnapshotError):
            env.unwrapped.restore(data)
    env.step(0)
    env.close()
    echo.close()


@pytest.mark.parametrize(
    ("id", "one", "other"),
    [
        ("OpenSpiel-v0", {"game": "tic_tac_toe"}, {"game": "connect_four"}),
        ("OpenSpiel-v0", {"opponent": "first"}, {"opponent": "random"}),
        ("TextArena-v0", {"env_id": "Wordle-v0"}, {"env_id": "Hangman-v0"}),
        ("Atari-v0", {"game": "pong"}, {"game": "breakout"}),
    ],
)
def test_a_snapshot_of_another_game_is_refused(id: str, one: Any, other: Any) -> None:
    with make(f"openenv/{id}", **one) as env, make(f"openenv/{id}", **other) as target:
        env.reset(seed=0)
        begun = target.reset(seed=1)
        with pytest.raises(SnapshotError, match="This is a snapshot"):
            target.unwrapped.restore(env.unwrapped.snapshot())
        assert same(target.reset(seed=1), begun)


@transports
def test_a_damaged_snapshot_is_noticed(transport: str) -> None:
    env = make(transport=transport)
    env.reset(seed=0)
    saved = env.unwrapped.snapshot()
    after = env.step(3)
    for place in range(0, len(saved), 7):
        wrong = saved[:place] + bytes([saved[place] ^ 4]) + saved[place + 1 :]
        with pytest.raises(SnapshotError):
            env.unwrapped.restore(wrong)
    for wrong in (saved[:-1], saved + b"x", saved[1:]):
        with pytest.raises(SnapshotError):
            env.unwrapped.restore(wrong)
    text: Any = saved.hex()
    with pytest.raises(SnapshotError, match="is bytes, not str"):
        env.unwrapped.restore(text)
    env.unwrapped.restore(saved)
    assert same(env.unwrapped.step(3), after)
    env.close()


def test_an_environment_that_cannot_be_saved() -> None:
    env = make("openenv/Gymnasium-v0", env_id="CartPole-v1")
    env.reset(seed=0)
    with pytest.raises(SnapshotError, match="cannot be saved"):
        env.unwrapped.snapshot()
    env.step(0)
    env.close()


def test_a_server_takes_the_snapshots_of_strangers_that_it_made_itself() -> None:
    with serving("connect4", owner=False) as server:
        env = make("openenv/Remote-v0", transport="websocket", url=server.url("websocket"))
        env.reset(seed=0)
        saved = env.unwrapped.snapshot()
        after = env.step(3)
        env.unwrapped.restore(saved)
        assert same(env.step(3), after)
        data = env.unwrapped.link.exchange(Snapshot()).data
        env.unwrapped.link.exchange(Restore(data))
        forged = bytes([data[0] ^ 1]) + data[1:]
        for wrong in (forged, data[:-1], data[32:], b""):
            with pytest.raises(SnapshotError, match="made itself"):
                env.unwrapped.link.exchange(Restore(wrong))
        own = make()
        own.reset(seed=0)
        with pytest.raises(SnapshotError, match="made itself"):
            env.unwrapped.restore(own.unwrapped.snapshot())
        own.close()
        env.close()
