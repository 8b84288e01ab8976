"""Render modes of vector environments: pictures, lists of them as gymnasium has them, and human."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers.vector import HumanRendering, RecordVideo

from openenv_gym.errors import OptionError

CONNECT4 = "openenv/Connect4-v0"
LANES = 3


def lanes(render_mode: str | None, **keywords: Any) -> Any:
    keywords = {"num_envs": LANES, "workers": 2, "opponent": "random", **keywords}
    return gymnasium.make_vec(CONNECT4, render_mode=render_mode, **keywords)


def legal(masks: Any) -> Any:
    return masks.argmax(axis=1)


@pytest.mark.parametrize(
    ("mode", "transport"),
    [("NextStep", "inprocess"), ("SameStep", "inprocess"), ("NextStep", "process")],
)
def test_lists_are_those_of_sync_vector_env(mode: str, transport: str) -> None:
    def single() -> Any:
        return gymnasium.make(CONNECT4, render_mode="rgb_array_list", opponent="random")

    ours = lanes("rgb_array_list", autoreset_mode=mode, transport=transport)
    theirs = SyncVectorEnv([single] * LANES, autoreset_mode=mode)
    assert ours.metadata == theirs.metadata
    ours.reset(seed=3)
    theirs.reset(seed=3)
    ended = 0
    for number in range(30):
        actions = legal(ours.action_masks())
        _, _, terminated, truncated, _ = ours.step(actions)
        theirs.step(actions)
        ended += int((terminated | truncated).sum())
        if number % 4 == 3:
            for mine, wanted in zip(ours.render(), theirs.render(), strict=True):
                assert len(mine) == len(wanted)
                assert all(map(np.array_equal, mine, wanted))
    assert ended > LANES
    assert [len(frames) for frames in ours.render()] == [2] * LANES or mode == "SameStep"
    ours.close()
    theirs.close()


def test_reset_of_some_lanes_forgets_their_frames_only() -> None:
    envs = lanes("rgb_array_list", autoreset_mode="Disabled")
    envs.reset(seed=0)
    envs.step([0, 1, 2])
    envs.reset(options={"reset_mask": np.array([False, True, False])})
    assert [len(frames) for frames in envs.render()] == [2, 1, 2]
    assert [len(frames) for frames in envs.render()] == [0, 0, 0]
    envs.close()


def test_lanes_that_are_received_have_a_frame_each() -> None:
    envs = lanes("ansi_list", workers=LANES, transport="process")
    envs.reset(seed=0)
    envs.send([0, 1], [0, 2])
    received = 0
    while received < 2:
        numbers, *_ = envs.recv(1)
        received += len(numbers)
    first, second, third = envs.render()
    assert (len(first), len(second), len(third)) == (2, 1, 2)
    assert "X" in first[1]
    envs.close()


@pytest.mark.filterwarnings("default")  # moviepy's own
def test_gymnasium_records_videos_of_lanes(tmp_path: Path) -> None:
    envs = RecordVideo(
        lanes("rgb_array", transport="process"),
        str(tmp_path / "videos"),
        episode_trigger=lambda number: number == 0,
    )
    envs.reset(seed=0)
    for _ in range(4):
        envs.step(legal(envs.unwrapped.action_masks()))
    envs.close()
    assert [path.suffix for path in (tmp_path / "videos").iterdir()] == [".mp4"]


def test_gymnasium_shows_lanes_in_a_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    envs = HumanRendering(lanes("rgb_array"))
    envs.reset(seed=0)
    envs.step([0, 1, 2])
    assert envs.window is not None
    envs.close()


def test_human_shows_texts_of_all_lanes(capsys: pytest.CaptureFixture[str]) -> None:
    envs = lanes("human")
    envs.reset(seed=0)
    assert capsys.readouterr().out.count("to move") == LANES
    envs.step([0, 1, 2])
    assert capsys.readouterr().out.count("to move") == LANES
    assert envs.render() == (None,) * LANES
    envs.close()


def test_human_shows_pictures_of_all_lanes_in_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    import pygame

    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    envs = gymnasium.make_vec(
        "openenv/Gymnasium-v0", num_envs=LANES, env_id="CartPole-v1", render_mode="human"
    )
    envs.reset(seed=0)
    assert pygame.display.get_surface().get_size() == (1200, 800)
    envs.close()
    assert not pygame.display.get_init()


def test_a_mode_that_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="has no render_mode='depth_array'"):
        lanes("depth_array_list")
