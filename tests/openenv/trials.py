"""Environments of ``openenv.core`` that try what our transports do at servers of its make.

Only a peer's process can import this module; :mod:`tests.openenv.environments` serves them.
"""

from __future__ import annotations

import time
from itertools import count
from typing import Any, Literal

import numpy as np
from pydantic import Field

from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State


class LedgerAction(Action):
    seconds: float = Field(default=0.0, ge=0.0, le=10.0)
    counts: bool = True
    fails: bool = False


class LedgerObservation(Observation):
    born: int = Field(ge=0, le=1_000_000)
    total: int = Field(ge=0, le=1_000_000)
    steps: int = Field(ge=0, le=1_000_000)


class LedgerEnvironment(Environment[LedgerAction, LedgerObservation, State]):
    """Keeps account of all that was carried out in it; a step takes as long as it is told to."""

    SUPPORTS_CONCURRENT_SESSIONS = True
    _births = count()

    def __init__(self) -> None:
        super().__init__()
        self._born = next(self._births)
        self._total = 0
        self._steps = 0
        self._state = State()

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> LedgerObservation:
        self._steps = 0
        self._state = State(episode_id=episode_id)
        return self._observe()

    def step(
        self, action: LedgerAction, timeout_s: float | None = None, **_: Any
    ) -> LedgerObservation:
        time.sleep(action.seconds)
        self._total += 1
        self._steps += 1
        self._state.step_count += action.counts
        if action.fails:
            raise RuntimeError("as it was told to")
        return self._observe()

    def _observe(self) -> LedgerObservation:
        return LedgerObservation(
            born=self._born, total=self._total, steps=self._steps, reward=float(self._steps)
        )

    @property
    def state(self) -> State:
        return self._state


class ScreenAction(Action):
    action_id: int
    game_name: str = "pong"
    obs_type: Literal["rgb", "grayscale", "ram"] = "rgb"
    full_action_space: bool = False


class ScreenObservation(Observation):
    screen: list[int]
    screen_shape: list[int]
    legal_actions: list[int]
    lives: int = 0
    episode_frame_number: int = 0
    frame_number: int = 0


class ScreenEnvironment(Environment[ScreenAction, ScreenObservation, State]):
    """Observes what OpenEnv's Atari does, in small: a flat screen, and its shape beside it."""

    SHAPE = (4, 3, 2)
    _frame = 0

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> ScreenObservation:
        self._frame = 0
        return self._observe()

    def step(
        self, action: ScreenAction, timeout_s: float | None = None, **_: Any
    ) -> ScreenObservation:
        self._frame += 1
        return self._observe()

    def _observe(self) -> ScreenObservation:
        screen = (np.arange(24) + self._frame) % 256
        return ScreenObservation(
            screen=screen.tolist(),
            screen_shape=list(self.SHAPE),
            legal_actions=[*range(6)],
            lives=3,
            frame_number=self._frame,
        )

    @property
    def state(self) -> State:
        return State(step_count=self._frame)


class BoardAction(Action):
    action_id: int
    game_name: str = "catch"
    game_params: dict[str, Any] = Field(default_factory=dict)


class BoardObservation(Observation):
    info_state: list[float]
    legal_actions: list[int]
    game_phase: str = "playing"
    current_player_id: int = 0
    opponent_last_action: int | None = None


class BoardEnvironment(Environment[BoardAction, BoardObservation, State]):
    """Observes what OpenEnv's OpenSpiel does: a list of floats, and the actions that are legal."""

    _steps = 0

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> BoardObservation:
        self._steps = 0
        return self._observe()

    def step(
        self, action: BoardAction, timeout_s: float | None = None, **_: Any
    ) -> BoardObservation:
        self._steps += 1
        return self._observe()

    def _observe(self) -> BoardObservation:
        return BoardObservation(
            info_state=[0.5, 0.0, float(self._steps)],
            legal_actions=[0, 3] if self._steps % 2 else [0, 1, 4],
            done=self._steps >= 3,
            reward=1.0 if self._steps >= 3 else 0.0,
        )

    @property
    def state(self) -> State:
        return State(step_count=self._steps)


class GameState(State):
    game_name: str = "catch"


class GameEnvironment(BoardEnvironment):
    """Like the base, and its state names the game, as that of OpenEnv's OpenSpiel does."""

    @property
    def state(self) -> GameState:
        return GameState(step_count=self._steps)


class ControlAction(Action):
    values: list[float] = Field(default_factory=list)


class ControlObservation(Observation):
    observations: dict[str, list[float]] = Field(default_factory=dict)
    pixels: str | None = None


class ControlState(State):
    action_spec: dict[str, Any] = Field(default_factory=dict)


class ControlEnvironment(Environment[ControlAction, ControlObservation, ControlState]):
    """Observes what OpenEnv's dm_control does; its state tells the bounds of actions."""

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> ControlObservation:
        return self._observe([0.0, 0.0])

    def step(
        self, action: ControlAction, timeout_s: float | None = None, **_: Any
    ) -> ControlObservation:
        return self._observe(action.values)

    def _observe(self, values: list[float]) -> ControlObservation:
        return ControlObservation(observations={"position": values, "speed": [0.25]}, reward=0.0)

    @property
    def state(self) -> ControlState:
        spec = {"shape": [2], "dtype": "float64", "minimum": [-1.0, -2.0], "maximum": [1.0, 2.0]}
        return ControlState(action_spec=spec)


class BrokenEnvironment(Environment[LedgerAction, LedgerObservation, State]):
    """Cannot be made, as its game is not installed."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        raise RuntimeError("the game is not installed")

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **_: Any
    ) -> LedgerObservation:
        raise NotImplementedError

    def step(
        self, action: LedgerAction, timeout_s: float | None = None, **_: Any
    ) -> LedgerObservation:
        raise NotImplementedError

    @property
    def state(self) -> State:
        raise NotImplementedError
