"""A gymnasium environment for every kind of Space, for contract tests.

Its id is ``openenv_gym_envs.gymnasium.every_space:openenv-test/EverySpace-v0``; it is part of the
package so that it is in every image.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from numpy.typing import NDArray

from openenv_gym.spaces.utf8 import Utf8

_SHORT = Utf8(20)
_BOOL: Any = np.bool_  # which gymnasium's own types leave out

SPACES: dict[str, Space[Any]] = {
    "Box": spaces.Box(-1, 1, (2, 3), np.float32),
    "Box.uint8": spaces.Box(0, 255, (4, 4, 3), np.uint8),
    "Box.float64": spaces.Box(-1e300, 1e300, (3,), np.float64),
    "Box.bounds": spaces.Box(
        np.array([-1, 0], np.float32), np.array([0, 7], np.float32), dtype=np.float32
    ),
    "Box.scalar": spaces.Box(0, 1, (), np.float32),
    "Box.bool": spaces.Box(0, 1, (3,), _BOOL),
    "Discrete": spaces.Discrete(5),
    "Discrete.start": spaces.Discrete(5, start=-2),
    "MultiDiscrete": spaces.MultiDiscrete([3, 5], start=[1, -1]),
    "MultiDiscrete.2d": spaces.MultiDiscrete(np.array([[3, 5], [2, 2]])),
    "MultiBinary": spaces.MultiBinary([2, 2]),
    "Text": spaces.Text(10, min_length=0, charset="abc é✓"),
    "Utf8": _SHORT,
    "Dict": spaces.Dict({"b": spaces.Discrete(2), "a": spaces.Dict({"text": _SHORT})}),
    "Tuple": spaces.Tuple([spaces.Discrete(2), spaces.Box(0, 1, (2,), np.float32)]),
    "Sequence": spaces.Sequence(spaces.Discrete(3)),
    "Sequence.stack": spaces.Sequence(spaces.Box(0, 1, (2,), np.float32), stack=True),
    "OneOf": spaces.OneOf([spaces.Discrete(3), spaces.Box(0, 1, (2,), np.float32)]),
    "Graph": spaces.Graph(spaces.Box(0, 1, (3,), np.float32), spaces.Discrete(4)),
}
"""A Space of every kind that travels."""


class EverySpaceEnv(gymnasium.Env[Any, Any]):
    """Observes random values of one Space, and counts and tells back its actions, of the same.

    Args:
        kind: Which of :data:`SPACES`.
        render_mode: ``"ansi"`` or ``"rgb_array"``.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": ["ansi", "rgb_array"],
        "render_fps": 30,
    }

    def __init__(self, kind: str, render_mode: str | None = None) -> None:
        # Its own, since sampling moves them.
        self.observation_space = deepcopy(SPACES[kind])
        self.action_space = deepcopy(SPACES[kind])
        self.render_mode = render_mode
        self._steps = 0

    def _sample(self) -> Any:
        self.observation_space.seed(int(self.np_random.integers(2**31)))
        return self.observation_space.sample()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Implements gymnasium.Env.reset."""
        super().reset(seed=seed)
        self._steps = 0
        return self._sample(), {"options": options or {}}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Implements gymnasium.Env.step; every sort of value that info may hold is in it."""
        self._steps += 1
        info = {
            "action": action,
            "scalar": np.float32(self._steps),
            "tuple": (1, [2.5, None, 2**80], {"x": float("inf")}),
            "bytes": b"\x00\xff",
            "array": np.full((2, 0, 3), np.inf),
        }
        return self._sample(), np.float64(self._steps / 3), self._steps >= 20, False, info

    def render(self) -> NDArray[np.uint8] | str:
        """Implements gymnasium.Env.render."""
        if self.render_mode == "ansi":
            return f"step {self._steps} ✓"
        return np.full((4, 6, 3), self._steps, np.uint8)


gymnasium.register("openenv-test/EverySpace-v0", entry_point=f"{__name__}:EverySpaceEnv")
