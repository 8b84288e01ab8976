"""LaneFrames: what lanes show between two calls of render(), or to a human."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil, sqrt
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from openenv_gym.env.human import HumanView

_LIST = "_list"


def mode_of_lanes(render_mode: str | None) -> str | None:
    """Return the mode in which each lane renders: ``"rgb_array"`` of ``"rgb_array_list"``."""
    return None if render_mode is None else render_mode.removesuffix(_LIST)


class LaneFrames:
    """Frames of lanes, one for each reset and step.

    With ``"rgb_array_list"`` (and other modes with that ending) they are kept until they are taken,
    those of the running episode only, as gymnasium's ``RenderCollection`` does in each environment
    of a ``SyncVectorEnv``. With ``"human"`` they are shown, all lanes side by side.

    Args:
        count: Number of lanes.
        autoreset_mode: What happens when a lane's episode ends.
        view: Shows them; None keeps them.
    """

    def __init__(self, count: int, autoreset_mode: AutoresetMode, view: HumanView | None) -> None:
        self._mode = autoreset_mode
        self._view = view
        self._frames: list[list[Any]] = [[] for _ in range(count)]
        self._over = [False] * count  # the next step resets it

    def begin(self, lanes: Iterable[int]) -> None:
        """Note that lanes begin an episode."""
        for lane in lanes:
            self._frames[lane], self._over[lane] = [], False

    def follow(self, lanes: Sequence[int], ended: NDArray[np.bool_]) -> None:
        """Note a step.

        Args:
            lanes: Those that were stepped.
            ended: Whether the episode of each of them has ended.
        """
        for lane, now in zip(lanes, ended.tolist(), strict=True):
            if self._over[lane] or (now and self._mode is AutoresetMode.SAME_STEP):
                self._frames[lane] = []
            self._over[lane] = now and self._mode is AutoresetMode.NEXT_STEP

    def add(self, frames: Iterable[tuple[int, Any]]) -> None:
        """Add a frame to some lanes, and show all, where that is to be done."""
        for lane, frame in frames:
            if self._view is not None:
                self._frames[lane] = []
            self._frames[lane].append(frame)
        if self._view is not None:
            self._view.show(side_by_side([lane[-1] for lane in self._frames if lane]))

    def take(self) -> tuple[Any, ...]:
        """Return a list of frames for each lane, and forget them; None for each, if shown."""
        if self._view is not None:
            return (None,) * len(self._frames)
        taken, self._frames = self._frames, [[] for _ in self._frames]
        return tuple(taken)

    def close(self) -> None:
        """Close the window, if there is one."""
        if self._view is not None:
            self._view.close()


def side_by_side(frames: Sequence[Any]) -> Any:
    """Return one picture of several, in rows of a square; one text of texts.

    Args:
        frames: Arrays of (height, width, 3) uint8, smaller ones are filled up with black; or texts.
    """
    if not all(isinstance(frame, np.ndarray) for frame in frames):
        return "\n".join(str(frame) for frame in frames)
    columns = ceil(sqrt(len(frames)))
    height, width = (max(frame.shape[axis] for frame in frames) for axis in (0, 1))
    whole = np.zeros((ceil(len(frames) / columns) * height, columns * width, 3), np.uint8)
    for number, frame in enumerate(frames):
        top, left = number // columns * height, number % columns * width
        whole[top : top + frame.shape[0], left : left + frame.shape[1]] = frame
    return whole
