"""Observations as scripts with dense networks need them: a vector of float32."""

from __future__ import annotations

import sys
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Space
from gymnasium.spaces.utils import flatten, flatten_space
from numpy.typing import NDArray

_PICTURE_SIDE = 32  # pixels; a board is smaller


class FlatObservation(gymnasium.ObservationWrapper[NDArray[np.float32], Any, Any]):
    """Flattens observations to float32: a dense network takes no integers.

    Args:
        env: An environment whose observations can be flattened.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self._observed = env.observation_space
        flat: Any = flatten_space(self._observed)
        self.observation_space = Box(
            flat.low.astype(np.float32), flat.high.astype(np.float32), dtype=np.float32
        )

    def observation(self, observation: Any) -> NDArray[np.float32]:
        """Implements gymnasium.ObservationWrapper.observation."""
        flat: Any = flatten(self._observed, observation)
        return np.asarray(flat, np.float32)


class Flattening:
    """Decides for each environment whether its observations are flattened, and says so once.

    Args:
        wanted: True and False as the user chose; None: where the script needs it.
        dense: The script builds dense networks.
    """

    def __init__(self, wanted: bool | None = None, *, dense: bool = False) -> None:
        self.wanted = wanted
        self.dense = dense
        self._said: set[str] = set()

    def apply(self, env: gymnasium.Env[Any, Any], id: str) -> gymnasium.Env[Any, Any]:
        """Return the environment, wrapped where its observations are to be flattened."""
        space = env.observation_space
        if self.wanted is False or not (self.wanted or self.dense) or _is_flat(space):
            return env
        if not space.is_np_flattenable:
            self._say(f"the observations of {id} cannot be flattened: {space!r:.200}.")
            return env
        if self.wanted is None and is_picture(space):
            self._say(
                f"the observations of {id} are pictures, {space.shape}, and stay so. --flatten "
                "flattens them."
            )
            return env
        flat = FlatObservation(env)
        before = "" if space.shape is None else f" {space.shape}"
        self._say(
            f"the observations of {id} are flattened: {type(space).__name__}{before} becomes "
            f"{flat.observation_space.shape} float32. --no-flatten leaves them as they are."
        )
        return flat

    def _say(self, sentence: str) -> None:
        if sentence not in self._said:
            self._said.add(sentence)
            print(f"openenv_gym.cleanrl: {sentence}", file=sys.stderr, flush=True)


def is_picture(space: Space[Any]) -> bool:
    """Whether observations are pictures: bytes of 0 to 255, with a height and a width."""
    return (
        isinstance(space, Box)
        and space.dtype == np.uint8
        and len(space.shape) in (2, 3)
        and sum(side >= _PICTURE_SIDE for side in space.shape) >= 2
        and bool(np.all(space.low == 0) and np.all(space.high == 255))
    )


def _is_flat(space: Space[Any]) -> bool:
    return isinstance(space, Box) and len(space.shape) == 1 and space.dtype.kind == "f"
