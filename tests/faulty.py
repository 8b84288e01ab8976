"""Environments that break the contract, each in one way."""

from __future__ import annotations

import os
from typing import Annotated, Any

import numpy as np
from gymnasium.spaces import Box

from openenv_gym.environment import Environment
from openenv_gym.models import Action, Array, Observation, State


class LampAction(Action):
    on: bool


class LampObservation(Observation):
    light: Annotated[Array, Box(0.0, 1.0, (2,), np.float64)]


class Lamp(Environment[LampAction, LampObservation, State]):
    """Breaks nothing."""

    def reset(self) -> LampObservation:
        return self._seen(False)

    def step(self, action: LampAction) -> LampObservation:
        return self._seen(action.on)

    def _seen(self, on: bool) -> LampObservation:
        return LampObservation(light=self.np_random.random(2) * on, reward=float(on))

    @property
    def state(self) -> State:
        return State()


class Unseeded(Lamp):
    def _seen(self, on: bool) -> LampObservation:
        return LampObservation(light=np.random.default_rng().random(2))


class TooBright(Lamp):
    def _seen(self, on: bool) -> LampObservation:
        return LampObservation(light=np.full(2, 1.0 + on))


class Unrewarding(Lamp):
    def _seen(self, on: bool) -> LampObservation:
        return LampObservation(light=np.zeros(2), reward=float("nan"))


class Greedy(Lamp):
    def __init__(self, **anything: Any) -> None:
        pass


class Broken(Lamp):
    def reset(self) -> LampObservation:
        raise ZeroDivisionError("there is no lamp")


class Invisible(Lamp):
    render_modes = ("ansi",)


class EndlessAction(Action):
    number: int


class Unbounded(Environment[EndlessAction, LampObservation, State]):
    def reset(self) -> LampObservation:
        return LampObservation(light=np.zeros(2))

    def step(self, action: EndlessAction) -> LampObservation:
        return LampObservation(light=np.zeros(2))

    @property
    def state(self) -> State:
        return State()


class Local(Lamp):
    """Observes something of its process."""

    def _seen(self, on: bool) -> LampObservation:
        return LampObservation(light=np.full(2, os.getpid() / 2**23))
