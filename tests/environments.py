"""Environments for tests of servers and transports; a server process imports them by name."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from gymnasium.spaces import Box, Discrete, Space
from pydantic import field_validator

from openenv_gym.environment import Environment
from openenv_gym.models import Action, Array, ClientOption, Observation, State

COUNT, WAIT, FAIL, EXIT = range(4)
"""The actions: go on; go on after ``delay``; raise; call sys.exit()."""

SECRET = "/home/someone/secret"
"""What the error says that FAIL raises."""


class CountingAction(Action):
    action: Annotated[int, Discrete(4)]


class CountingObservation(Observation):
    count: Annotated[int, Discrete(1 << 31)]
    noise: Annotated[Array, Box(0.0, 1.0, (3,), np.float64)]
    frame: Array


class Counting(Environment[CountingAction, CountingObservation, State]):
    """Counts its steps, so that one that is lost or made twice shows.

    Args:
        delay: Seconds that the action WAIT takes.
        size: Bytes of the frame in an observation.
        slow: Seconds that making it takes.
        diary: A file that says on which thread it was made, stepped and closed.
    """

    def __init__(
        self,
        delay: Annotated[float, ClientOption()] = 0.0,
        size: Annotated[int, ClientOption()] = 1,
        slow: Annotated[float, ClientOption()] = 0.0,
        diary: Annotated[str | None, ClientOption()] = None,
    ) -> None:
        self._delay = delay
        self._size = size
        self._diary = diary
        self._count = 0
        time.sleep(slow)
        self._note("made")

    def spaces(self) -> Mapping[str, Space[Any]]:
        return {"frame": Box(0, 255, (self._size,), np.uint8)}

    def reset(self) -> CountingObservation:
        self._note("reset")
        self._count = 0
        return self._observation()

    def step(self, action: CountingAction) -> CountingObservation:
        if action.action == WAIT:
            time.sleep(self._delay)
        if action.action == FAIL:
            raise RuntimeError(f"cannot read {SECRET}")
        if action.action == EXIT:
            sys.exit(3)
        self._note("step")
        self._count += 1
        return self._observation()

    def _observation(self) -> CountingObservation:
        noise = self.np_random.random(3)
        frame = self.np_random.integers(0, 256, self._size, np.uint8)
        return CountingObservation(
            count=self._count, noise=noise, frame=frame, reward=float(noise[0])
        )

    @property
    def state(self) -> State:
        return State(step_count=self._count)

    def close(self) -> None:
        self._note("closed")

    def _note(self, what: str) -> None:
        if self._diary is not None:
            with Path(self._diary).open("a") as file:
                file.write(f"{what} {threading.get_ident()}\n")


class InlineCounting(Counting):
    inline: ClassVar[bool] = True


class PickyAction(CountingAction):
    @field_validator("action")
    @classmethod
    def _is_liked(cls, action: int) -> int:
        if action == EXIT:
            raise ValueError("it is not liked")
        return action


class Picky(Counting):
    """Its action's model refuses what is in the Space."""

    action_type: ClassVar[type[Action]] = PickyAction


PICKY = "tests.environments:Picky"
THREADED, INLINE = "tests.environments:Counting", "tests.environments:InlineCounting"


class WalkAction(Action):
    right: bool


class WalkObservation(Observation):
    place: Annotated[Array, Box(-1.0, 1.0, (2,), np.float32)]
    noise: Annotated[Array, Box(0.0, 1.0, (3,), np.float32)]


class Walk(Environment[WalkAction, WalkObservation, State]):
    """A walk to the right or the left, observed by a Dict; any action will do."""

    def reset(self) -> WalkObservation:
        self._at = 0
        return self._observation(0.0)

    def step(self, action: WalkAction) -> WalkObservation:
        self._at += 1 if action.right else -1
        return self._observation(float(action.right))

    def _observation(self, reward: float) -> WalkObservation:
        return WalkObservation(
            place=np.array([self._at / 4, -self._at / 4], np.float32),
            noise=self.np_random.random(3, np.float32),
            done=abs(self._at) == 4,
            reward=reward,
        )

    @property
    def state(self) -> State:
        return State()
