"""Environments that do nothing, and the same environments written for gymnasium alone.

Our servers and containers can import them: this package is in each of our images.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete, Space, Text
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.models import Action, Array, Observation, State

TEXT_LENGTH = 4096
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz ,.\n"

SMALL = np.array([0.1, -0.2, 0.3, -0.4], np.float32)


def _picture(height: int, width: int, depth: int) -> NDArray[np.uint8]:
    """Draw flat patches of colour, as in games, which compress well, for peers that compress."""
    patches = np.random.default_rng(0).integers(0, 256, (14, 12, depth), np.uint8)
    picture = patches.repeat(-(-height // 14), 0).repeat(-(-width // 12), 1)
    return np.ascontiguousarray(picture[:height, :width])


STACK = _picture(84, 84, 4)
FRAME = _picture(210, 160, 3)
TEXT = "".join(np.random.default_rng(0).choice(list(_CHARACTERS), TEXT_LENGTH))


class NoopAction(Action):
    """One of four actions."""

    action: Annotated[int, Discrete(4)]


class SmallObservation(Observation):
    """An observation as small as CartPole's."""

    observation: Annotated[Array, Box(-1, 1, (4,), np.float32)]


class StackObservation(Observation):
    """Four grey frames, as of preprocessed Atari."""

    observation: Annotated[Array, Box(0, 255, (84, 84, 4), np.uint8)]


class FrameObservation(Observation):
    """One frame, as of Atari itself."""

    observation: Annotated[Array, Box(0, 255, (210, 160, 3), np.uint8)]


class TextObservation(Observation):
    """A page of text."""

    observation: Annotated[str, Field(max_length=TEXT_LENGTH)]


class Small(Environment[NoopAction, SmallObservation, State]):
    """Returns the same numbers at each step."""

    inline = True

    def reset(self) -> SmallObservation:
        """Implements Environment.reset."""
        return SmallObservation(observation=SMALL.copy())

    def step(self, action: NoopAction) -> SmallObservation:
        """Implements Environment.step."""
        return SmallObservation(observation=SMALL.copy(), reward=1.0)

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State()


class Stack(Environment[NoopAction, StackObservation, State]):
    """Returns the same four frames at each step."""

    inline = True

    def reset(self) -> StackObservation:
        """Implements Environment.reset."""
        return StackObservation(observation=STACK.copy())

    def step(self, action: NoopAction) -> StackObservation:
        """Implements Environment.step."""
        return StackObservation(observation=STACK.copy(), reward=1.0)

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State()


class Frame(Environment[NoopAction, FrameObservation, State]):
    """Returns the same frame at each step."""

    inline = True

    def reset(self) -> FrameObservation:
        """Implements Environment.reset."""
        return FrameObservation(observation=FRAME.copy())

    def step(self, action: NoopAction) -> FrameObservation:
        """Implements Environment.step."""
        return FrameObservation(observation=FRAME.copy(), reward=1.0)

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State()


class Page(Environment[NoopAction, TextObservation, State]):
    """Returns the same text at each step."""

    inline = True

    def reset(self) -> TextObservation:
        """Implements Environment.reset."""
        return TextObservation(observation=TEXT)

    def step(self, action: NoopAction) -> TextObservation:
        """Implements Environment.step."""
        return TextObservation(observation=TEXT, reward=1.0)

    @property
    def state(self) -> State:
        """Implements Environment.state."""
        return State()


_PLAIN: dict[str, tuple[Space[Any], Callable[[], Any]]] = {
    "small": (Box(-1, 1, (4,), np.float32), SMALL.copy),
    "84x84x4": (Box(0, 255, (84, 84, 4), np.uint8), STACK.copy),
    "210x160x3": (Box(0, 255, (210, 160, 3), np.uint8), FRAME.copy),
    "text": (Text(TEXT_LENGTH, charset=_CHARACTERS), lambda: TEXT),
}


class Plain(gymnasium.Env[Any, Any]):
    """The no-op environments, written for gymnasium alone.

    Args:
        workload: Name of the environment.
    """

    def __init__(self, workload: str) -> None:
        self.observation_space, self._observe = _PLAIN[workload]
        self.action_space = Discrete(4)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Implements gymnasium.Env.reset."""
        super().reset(seed=seed)
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Implements gymnasium.Env.step."""
        return self._observe(), 1.0, False, False, {}
