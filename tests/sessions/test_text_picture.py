"""Texts are drawn as pictures, so that every environment can be recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.wrappers import RecordVideo

from openenv_gym.sessions.text_picture import COLUMNS, ROWS, draw


def cells(picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The picture of each character, by row and column."""
    return picture[:, :, 0].reshape(ROWS, 16, COLUMNS, 8).transpose(0, 2, 1, 3)


def test_a_picture_is_of_one_size_whatever_the_text() -> None:
    for text in ("", "a", "a\nb\n" * 100, "x" * 5000, "\t\ud83d\ud83d é €"):
        picture = draw(text)
        assert (picture.shape, picture.dtype) == ((384, 640, 3), np.uint8)
        assert (picture[..., 0] == picture[..., 2]).all()


def test_what_is_where() -> None:
    shown = cells(draw("ab\nba\n\nA" + "." * 79 + "ab"))
    assert np.array_equal(shown[0, :2], shown[1, 1::-1])
    assert not np.array_equal(shown[0, 0], shown[0, 1])
    assert np.array_equal(shown[4, :2], shown[0, :2])  # what is too long goes on below
    assert len(np.unique(shown[2])) == 1  # paper
    assert np.array_equal(cells(draw("€"))[0, 0], cells(draw("\U0001f30d"))[0, 0])
    assert not np.array_equal(cells(draw("ü"))[0, 0], cells(draw("u"))[0, 0])


def test_the_end_of_a_long_text_is_shown() -> None:
    lines = [f"line {number}" for number in range(100)]
    assert np.array_equal(draw("\n".join(lines)), draw("\n".join(lines[-ROWS:])))


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_an_environment_of_text_is_recorded(transport: str, tmp_path: Path) -> None:
    pytest.importorskip("moviepy")
    env = gymnasium.make("openenv/Echo-v0", transport=transport, render_mode="rgb_array")
    assert env.metadata["render_modes"] == ["human", "ansi", "rgb_array"]
    video: Any = RecordVideo(env, str(tmp_path / "videos"), disable_logger=True)
    video.reset(seed=0)
    video.step("hello")
    text = gymnasium.make("openenv/Echo-v0", transport="inprocess", render_mode="ansi")
    text.reset(seed=0)
    text.step("hello")
    assert np.array_equal(env.render(), draw(text.render()))  # type: ignore[arg-type]
    video.close()
    text.close()
    assert list(tmp_path.rglob("*.mp4"))
