"""Environments that show what the page does with masks, names, NaN and options."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from gymnasium.spaces import Box, Discrete

from openenv_gym.environment import Environment
from openenv_gym.models import Action, Info, LegalActions, Observation, State

NAMES = ["NOOP", "LEFT", "RIGHT"]


class Turn(Action):
    turn: Annotated[int, Discrete(3)]
    unused: Annotated[str, Info()] = "nothing"


class Place(Observation):
    place: Annotated[float, Box(-9, 9, ())]
    slope: Annotated[float, Box(-np.inf, np.inf, ())] = 0.0
    allowed: Annotated[list[int], LegalActions()]


class Walk(Environment[Turn, Place, State]):
    """Walks left and right; LEFT is not allowed at first, and NOOP has no reward at all."""

    def reset(self, start: int = 0) -> Place:
        self._place, self._first = start, True
        return Place(place=self._place, allowed=[0, 2])

    def step(self, action: Turn) -> Place:
        self._place += (0, -1, 1)[action.turn]
        reward = float("nan") if action.turn == 0 else float(self._place)
        slope = float("nan") if action.turn == 0 else 1.0
        return Place(place=self._place, slope=slope, allowed=[0, 1, 2], reward=reward)

    def metadata(self) -> dict[str, Any]:
        return {**super().metadata(), "render_modes": ["ansi"], "action_meanings": NAMES}

    def render(self) -> str:
        return f"at {self._place}"

    @property
    def state(self) -> State:
        return State()
