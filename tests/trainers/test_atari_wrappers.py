"""The wrappers of gymnasium and Stable-Baselines3 for Atari see frames equal to those of ALE."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import AtariPreprocessing

gymnasium.register_envs(pytest.importorskip("ale_py"))
atari_wrappers = pytest.importorskip("stable_baselines3.common.atari_wrappers")

STEPS = 40


def assert_same_frames(ours: Any, theirs: Any) -> None:
    random = np.random.default_rng(0)
    assert np.array_equal(ours.reset(seed=3)[0], theirs.reset(seed=3)[0])
    for _ in range(STEPS):
        action = int(random.integers(theirs.action_space.n))
        got, wanted = ours.step(action), theirs.step(action)
        assert np.array_equal(got[0], wanted[0])
        assert got[1:4] == wanted[1:4]
        if wanted[2] or wanted[3]:
            assert np.array_equal(ours.reset()[0], theirs.reset()[0])
    ours.close()
    theirs.close()


@pytest.mark.parametrize("transport", ["inprocess", "process", "websocket"])
@pytest.mark.parametrize("wrapper", [AtariPreprocessing, atari_wrappers.AtariWrapper])
def test_frames_are_those_of_ale(wrapper: Any, transport: str) -> None:
    skip = {"frameskip": 1} if wrapper is AtariPreprocessing else {}
    ours = gymnasium.make("openenv/Atari.breakout-v0", transport=transport, **skip)
    theirs = gymnasium.make("ALE/Breakout-v5", **skip)
    assert ours.unwrapped.get_action_meanings() == theirs.unwrapped.get_action_meanings()  # type: ignore[attr-defined]
    assert_same_frames(wrapper(ours), wrapper(theirs))
