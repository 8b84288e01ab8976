from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ale_py  # noqa: F401  # registers ALE/*
import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import (
    AtariPreprocessing,
    FrameStackObservation,
    GrayscaleObservation,
    MaxAndSkipObservation,
    ResizeObservation,
)

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import OptionError
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import Env, same
from openenv_gym_envs.atari import AtariAction, AtariEnv, AtariObservation
from openenv_gym_envs.atari.environment import AtariEnvironment, games

ROOT = Path(__file__).parents[2]


def played(env: Env, seed: int, steps: int) -> Iterator[tuple[Any, ...]]:
    """Observations, rewards, flags and lives of random play over several episodes."""
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed)
    yield observation, 0.0, False, False, info["lives"]
    for _ in range(steps):
        observation, reward, terminated, truncated, info = env.step(env.action_space.sample())
        yield observation, reward, terminated, truncated, info["lives"]
        if terminated or truncated:
            observation, info = env.reset()
            yield observation, 0.0, False, False, info["lives"]
    observation, info = env.reset(seed=seed + 1)  # in the middle of an episode
    yield observation, 0.0, False, False, info["lives"]
    env.close()


def assert_alike(ours: Env, theirs: Env, steps: int) -> int:
    """Asserts that two environments play alike; says how many episodes ended."""
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    ended = 0
    pairs = zip(played(ours, 5, steps), played(theirs, 5, steps), strict=True)
    for number, (one, other) in enumerate(pairs):
        assert same(one, other), f"transition {number}"
        ended += one[2] or one[3]
    return ended


@pytest.mark.parametrize(
    ("game", "name"),
    [
        ("pong", "Pong"),
        ("breakout", "Breakout"),
        ("ms_pacman", "MsPacman"),
        ("space_invaders", "SpaceInvaders"),
        ("journey_escape", "JourneyEscape"),
    ],
)
def test_plays_as_ale_does(game: str, name: str) -> None:
    ours, theirs = gymnasium.make(f"openenv/Atari.{game}-v0"), gymnasium.make(f"ALE/{name}-v5")
    ended = assert_alike(ours, theirs, 500)
    assert ended or game in ("pong", "journey_escape")


@pytest.mark.parametrize(
    "options",
    [
        {"obs_type": "ram", "frameskip": (2, 5), "full_action_space": True},
        {"obs_type": "grayscale", "mode": 4, "difficulty": 1, "repeat_action_probability": 0.0},
        {"frameskip": 1},
    ],
    ids=str,
)
def test_options_are_those_of_ale(options: dict[str, Any]) -> None:
    ours = gymnasium.make("openenv/Atari-v0", game="breakout", **options)
    assert_alike(ours, gymnasium.make("ALE/Breakout-v5", **options), 200)


def test_truncated_where_ale_truncates() -> None:
    ours = gymnasium.make("openenv/Atari.pong-v0", max_num_frames=400)
    theirs = gymnasium.make("ALE/Pong-v5", max_num_frames_per_episode=400)
    assert assert_alike(ours, theirs, 250) == 2


def test_an_id_for_each_game() -> None:
    assert sorted(ENVIRONMENTS["atari"].variants) == games()
    assert "openenv/Atari.ms_pacman-v0" in gymnasium.registry


def test_every_game_plays() -> None:
    heights = set()
    for game in games():
        env = AtariEnvironment(game)
        spaces = env.spaces()
        first = env.reset()
        last: Any = spaces["action_id"]
        observation = env.step(AtariAction(action_id=int(last.n) - 1))
        assert spaces["screen"].contains(observation.screen)
        assert observation.metadata == {}
        assert observation.frame_number - first.frame_number == 4
        heights.add(observation.screen.shape[0])
        env.close()
    assert heights == {210, 214, 220, 230, 250}


def test_a_reset_begins_a_game_and_keeps_the_settings() -> None:
    env = AtariEnvironment("breakout")
    first = env.reset(seed=1)
    assert first.lives == 5
    assert first.metadata["game_name"] == "breakout"
    assert first.metadata["action_meanings"] == ["NOOP", "FIRE", "RIGHT", "LEFT"]
    env.step(AtariAction(action_id=1))
    again = env.reset(episode_id="second")
    assert (again.episode_frame_number, again.frame_number) == (0, 4)
    state = env.state
    assert (state.episode_id, state.step_count) == ("second", 0)
    assert (state.game_name, state.frameskip, state.obs_type) == ("breakout", 4, "rgb")
    assert env.metadata()["action_meanings"] == state.action_meanings


def test_screens_are_fresh() -> None:
    env = AtariEnvironment("breakout")
    first = env.reset(seed=1).screen
    kept = first.copy()
    for _ in range(10):
        env.step(AtariAction(action_id=1))
    assert (first == kept).all()


def test_json_is_openenvs() -> None:
    env = AtariEnvironment("pong", obs_type="grayscale")
    observation = env.reset(seed=0)
    reported = observation.model_dump(mode="json")
    assert len(reported["screen"]) == 210 * 160
    assert reported["screen_shape"] == [210, 160]
    assert reported["legal_actions"] == [0, 1, 2, 3, 4, 5]
    back = AtariObservation.model_validate(reported)
    assert same(back.screen, observation.screen)
    # What OpenEnv's client sends, whose other fields nobody reads there either.
    AtariAction.model_validate(
        {"action_id": 2, "game_name": "pong", "obs_type": "rgb", "full_action_space": False}
    )


@pytest.mark.parametrize("obs_type", ["rgb", "ram"])
def test_pictures_are_those_of_ale(obs_type: str) -> None:
    env = gymnasium.make("openenv/Atari.pong-v0", obs_type=obs_type, render_mode="rgb_array")
    theirs = gymnasium.make("ALE/Pong-v5", obs_type=obs_type, render_mode="rgb_array")
    for made in (env, theirs):
        made.reset(seed=3)
        for _ in range(20):
            made.step(2)
    assert same(env.render(), theirs.render())
    assert env.metadata["render_fps"] == 15
    assert AtariEnvironment("pong").render() is None


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"game": "pung"}, "Did you mean 'pong'"),
        ({"game": "combat"}, "two players"),
        ({"game": "../pong"}, "no game"),
        ({"mode": 7}, r"modes \[0, 1\]"),
        ({"difficulty": 9}, r"difficulties \[0, 1, 2, 3\]"),
        ({"frameskip": 0}, "frameskip"),
        ({"frameskip": (3, 3)}, "leaves no number"),
        ({"frameskip": (0, 3)}, "leaves no number"),
        ({"repeat_action_probability": 2}, "repeat_action_probability"),
        ({"obs_type": "rbg"}, "obs_type"),
        ({"max_num_frames": 0}, "max_num_frames"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        gymnasium.make("openenv/Atari-v0", **options)


def test_only_few_frames_are_for_an_event_loop() -> None:
    assert AtariEnvironment().inline
    assert AtariEnvironment(frameskip=(2, 5)).inline
    assert not AtariEnvironment(frameskip=60).inline


def test_it_prints_no_banner() -> None:
    """ALE greets on stderr, once a process."""
    code = (
        "import sys; sys.path[:0] = ['.', 'envs', 'transports']\n"
        "import gymnasium, openenv_gym\n"
        "env = gymnasium.make('openenv/Atari-v0'); env.reset(seed=0); env.step(0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT, timeout=250
    )
    assert (done.stdout, done.stderr) == (b"", b"")


needs_opencv = pytest.mark.skipif(
    importlib.util.find_spec("cv2") is None, reason="resizing is done by opencv"
)


@needs_opencv
def test_wrappers_make_what_atari_preprocessing_makes() -> None:
    ours: Env = gymnasium.make("openenv/Atari.pong-v0", frameskip=1, obs_type="grayscale")
    ours = ResizeObservation(MaxAndSkipObservation(ours, skip=4), (84, 84))
    theirs = AtariPreprocessing(gymnasium.make("ALE/Pong-v5", frameskip=1), noop_max=0)
    assert_alike(ours, theirs, 200)


@needs_opencv
def test_stacked_and_resized_over_a_wire() -> None:
    stacks = []
    for transport in ("inprocess", "websocket"):
        env: Env = gymnasium.make("openenv/Atari.breakout-v0", transport=transport)
        env = FrameStackObservation(ResizeObservation(GrayscaleObservation(env), (84, 84)), 4)
        assert env.observation_space.shape == (4, 84, 84)
        stacks.append(list(played(env, 2, 30)))
    assert same(*stacks)


def test_lanes_over_a_wire() -> None:
    """Their frames come as one array, those of gymnasium's own vector environment."""
    ours = gymnasium.make_vec(
        "openenv/Atari-v0", num_envs=4, workers=2, transport="websocket", game="breakout"
    )
    theirs = gymnasium.make_vec("ALE/Breakout-v5", num_envs=4, vectorization_mode="sync")
    (one, _), (other, _) = ours.reset(seed=7), theirs.reset(seed=7)
    assert same(one, other)
    ours.action_space.seed(0)
    ended = 0
    for _ in range(150):
        actions = ours.action_space.sample()
        got, wanted = ours.step(actions), theirs.step(actions)
        assert got[0].shape == (4, 210, 160, 3)
        assert same(got[:4], wanted[:4])
        assert same(got[4]["lives"], wanted[4]["lives"])
        ended += int(got[2].sum())
    assert ended
    ours.close()
    theirs.close()


def test_frames_of_lanes_travel_as_one_buffer() -> None:
    from openenv_gym.sessions.session import Session
    from openenv_gym.wire.codec import encode
    from openenv_gym.wire.messages import OpenVector, ResetVector, StepVector

    session = Session("atari")
    session.handle(OpenVector(None, [{}] * 8))
    session.handle(ResetVector([0] * 8))
    reply: Any = session.handle(StepVector(np.zeros(8, np.int64)))
    frames = reply.observations
    data = encode(reply)
    assert frames.tobytes() in data
    assert len(data) < frames.nbytes + 2000
    session.close()


@pytest.mark.parametrize("transport", ["inprocess", "websocket"])
def test_the_typed_client_plays_a_step(transport: str) -> None:
    with AtariEnv(game="breakout", transport=transport) as client:
        first = client.reset(seed=1)
        assert first.observation.lives == 5
        result = client.step(AtariAction(action_id=1))
        assert result.observation.screen.shape == (210, 160, 3)
        assert result.observation.legal_actions == [0, 1, 2, 3]
        assert result.observation.episode_frame_number == 4
        state = client.state()
        assert (state.game_name, state.step_count) == ("breakout", 1)
