"""An environment that exports attributes and methods; a server process imports it by name."""

from __future__ import annotations

from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from numpy.typing import NDArray

from openenv_gym import Action, Array, Environment, Info, Observation, State, register_environment


class Turn(Action):
    by: Annotated[int, Discrete(3)]


class Angle(Observation):
    angle: Annotated[Array, Box(0, 100, (2,), np.int64)]
    turns: Annotated[int, Info()]


class Motor:
    """What is beside the episode."""

    def __init__(self) -> None:
        self.speed = 2.5

    def turns(self) -> int:
        raise AssertionError("it is answered from the last info")

    def label(self, text: str, *, times: int = 1) -> str:
        return text * times

    def fill(self, out: NDArray[np.int64]) -> None:
        out[:] = np.arange(out.size).reshape(out.shape)


class Wheel(Environment[Turn, Angle, State]):
    """Turns a wheel."""

    exports = {  # noqa: RUF012  # as authors write it
        "size": "constant",
        "names": "constant",
        "motor.speed": "",
        "motor.turns": "info.turns",
        "motor.label": "",
        "motor.fill": "",
        "angles": "observation",
        "keys": "",
        "odd": "",
        "fails": "",
    }

    def __init__(self, size: int = 7) -> None:
        self.size = size
        self.motor = Motor()
        self.hidden = "secret"
        self._angle = np.zeros(2, np.int64)
        self._turns = 0

    def names(self) -> list[str]:
        return ["stay", "left", "right"]

    def keys(self) -> dict[tuple[str, ...], int]:
        return {("a",): 1, ("a", "d"): 2}

    def angles(self) -> NDArray[np.int64]:
        return self._angle

    def odd(self) -> object:
        return object()

    def fails(self) -> None:
        raise ZeroDivisionError("of its own")

    def reset(self) -> Angle:
        self._angle, self._turns = self.np_random.integers(0, 50, 2), 0
        return self._seen()

    def step(self, action: Turn) -> Angle:
        self._angle = np.minimum(self._angle + action.by, 100)
        self._turns += 1
        return self._seen()

    def _seen(self) -> Angle:
        return Angle(angle=self._angle.copy(), turns=self._turns)

    @property
    def state(self) -> State:
        return State(step_count=self._turns)


class Lamp(gymnasium.Env[NDArray[np.float32], int]):
    """A ``gymnasium.Env`` of a user, whose author exports one name to strangers too."""

    exports = ("brightness",)

    def __init__(self, brightness: float = 0.5) -> None:
        self.observation_space = Box(0, 1, (1,))
        self.action_space = Discrete(2)
        self.brightness = brightness
        self.color = "white"
        self.motor = Motor()

    def dim(self, by: float) -> float:
        self.brightness -= by
        return self.brightness

    def reset(self, **keywords: Any) -> tuple[NDArray[np.float32], dict[str, Any]]:
        super().reset(**keywords)
        self.late = "set by reset"
        return np.full(1, self.brightness, np.float32), {}

    def step(self, action: int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        return np.full(1, self.brightness, np.float32), 0.0, False, False, {}


for _id, _cls in (("Wheel", "Wheel"), ("Lamp", "Lamp")):
    register_environment(f"openenv-test/{_id}-v0", f"tests.exporting:{_cls}")
