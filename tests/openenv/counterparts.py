"""Environments of ours that do what those of :mod:`tests.openenv.environments` do."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete
from pydantic import BaseModel, Field

from openenv_gym.environment import Environment
from openenv_gym.models import Action, Array, Info, Observation, State

NESTED, SENSORS = (f"{__name__}:{name}Environment" for name in ("Nested", "Sensors"))


class Point(BaseModel):
    x: Annotated[int, Field(ge=-100, le=100)]
    y: Annotated[int, Field(ge=-100, le=100)]


class Landmark(BaseModel):
    name: Literal["home", "mine"]
    at: Point


class NestedAction(Action):
    by: Point
    gait: Literal["walk", "run"] = "walk"
    towards: Landmark | None = None


class NestedObservation(Observation):
    here: Point
    landmarks: Annotated[list[Landmark], Field(min_length=2, max_length=2)]
    gait: Literal["walk", "run"] = "walk"
    nearest: Landmark | None = None


HOME = Landmark(name="home", at=Point(x=0, y=0))
MINE = Landmark(name="mine", at=Point(x=3, y=-2))


class NestedEnvironment(Environment[NestedAction, NestedObservation, State]):
    inline = True

    def reset(self) -> NestedObservation:
        self._here = (0, 0)
        return self._observe("walk", None)

    def step(self, action: NestedAction) -> NestedObservation:
        pace = 2 if action.gait == "run" else 1
        self._here = (self._here[0] + pace * action.by.x, self._here[1] + pace * action.by.y)
        return self._observe(action.gait, action.towards)

    def _observe(self, gait: Literal["walk", "run"], nearest: Landmark | None) -> NestedObservation:
        x, y = (max(-100, min(100, side)) for side in self._here)
        found = (x, y) == (MINE.at.x, MINE.at.y)
        return NestedObservation(
            here=Point(x=x, y=y),
            landmarks=[HOME, MINE],
            gait=gait,
            nearest=nearest,
            done=found,
            reward=1.0 if found else -0.5,
        )

    @property
    def state(self) -> State:
        return State()


class SensorsAction(Action):
    gain: Annotated[float, Field(ge=0.0, le=4.0)]


class SensorsObservation(Observation):
    readings: Annotated[Array, Box(-np.inf, np.inf, (4,), np.float64)]
    counts: Annotated[Array, MultiDiscrete([100, 100, 100])]
    total: Annotated[float, Info()] = 0.0


class SensorsEnvironment(Environment[SensorsAction, SensorsObservation, State]):
    _steps = 0

    def reset(self) -> SensorsObservation:
        self._steps = 0
        return self._observe(0.0)

    def step(self, action: SensorsAction) -> SensorsObservation:
        self._steps += 1
        return self._observe(action.gain)

    def _observe(self, gain: float) -> SensorsObservation:
        return SensorsObservation(
            readings=np.array([np.nan, np.inf, 0.5 * gain, self._steps / 3]),
            counts=np.arange(3) + self._steps,
            total=np.nan if self._steps == 2 else gain,
            reward=0.5 * self._steps,
            done=self._steps >= 4,
        )

    @property
    def state(self) -> State:
        return State(step_count=self._steps)
