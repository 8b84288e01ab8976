"""Stable-Baselines3's own tools on our environments: videos, and Atari's wrappers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3.common.env_util import make_atari_env, make_vec_env
from stable_baselines3.common.vec_env import VecEnv, VecFrameStack, VecVideoRecorder

from openenv_gym import sb3

CONNECT4 = "openenv_gym:openenv/Connect4-v0"
PICTURES = {"render_mode": "rgb_array"}


@pytest.mark.filterwarnings("default")  # moviepy's own
@pytest.mark.parametrize(
    "make",
    [
        lambda: sb3.make_vec_env("openenv/Connect4-v0", 2, transport="process", **PICTURES),
        lambda: make_vec_env(CONNECT4, 2, env_kwargs=PICTURES),
    ],
    ids=["ours", "theirs"],
)
def test_videos(make: Callable[[], VecEnv], tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    envs = VecVideoRecorder(
        make(), str(tmp_path), record_video_trigger=lambda step: step == 0, video_length=3
    )
    envs.reset()
    for _ in range(5):
        envs.step(np.zeros(2, int))
    envs.close()
    assert [path.suffix for path in tmp_path.iterdir()] == [".mp4"]


def test_atari_environments_as_those_of_ale() -> None:
    gymnasium.register_envs(pytest.importorskip("ale_py"))
    made = [
        VecFrameStack(make_atari_env(id, n_envs=2, seed=0), 4)
        for id in ("openenv_gym:openenv/Atari.breakout-v0", "ALE/Breakout-v5")
    ]
    ours, theirs = made
    assert ours.observation_space == theirs.observation_space
    assert np.array_equal(ours.reset(), theirs.reset())
    for step in range(20):
        actions = np.array([step % 4, 1])
        for got, wanted in zip(ours.step(actions)[:3], theirs.step(actions)[:3], strict=True):
            assert np.array_equal(got, wanted)
    ours.close()
    theirs.close()
