"""Environments in the style of OpenEnv's repository, whose fields are hardly bounded.

Only a process that has ``openenv`` can import this module. :data:`everything` serves all below
their names; :func:`served` makes the application of one, for an image. With those of
:mod:`tests.openenv.toolbox` there is one of each kind: tools, text, nested models and lists, a
picture, objects with any keys, tasks. All that happens is decided by the seed and the actions.
"""

from __future__ import annotations

import random
from typing import Any, Literal

from fastapi import FastAPI
from pydantic import BaseModel, Field

from openenv.core import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.mcp_types import CallToolAction, CallToolObservation
from openenv.core.env_server.types import Action, Observation, State
from tests.openenv.toolbox import Quiz, QuizAction, QuizObservation, Safe

SESSIONS = 8


class _Seeded(Environment[Any, Any, State]):
    """Draws from a generator of its own; an episode has three steps."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._random = random.Random(0)

    def reset(self, seed: int | None = None, episode_id: str | None = None, **_: Any) -> Any:
        self._random = random.Random(seed)
        self._state = State(episode_id=episode_id)
        return self.observe(None)

    def step(self, action: Any, timeout_s: float | None = None, **_: Any) -> Any:
        self._state.step_count += 1
        seen = self.observe(action)
        seen.reward = self._random.random()
        seen.done = self._state.step_count == 3
        return seen

    def observe(self, action: Any) -> Any:
        raise NotImplementedError

    @property
    def state(self) -> State:
        return self._state


class RiddleAction(Action):
    guess: str


class RiddleObservation(Observation):
    text: str = ""
    guesses: list[str] = Field(default_factory=list)
    hint: str | None = None


class Riddle(_Seeded):
    """A text, what was guessed, and a hint after the first guess."""

    def observe(self, action: RiddleAction | None) -> RiddleObservation:
        if action is None:
            self._guesses: list[str] = []
            return RiddleObservation(text=f"Riddle {self._random.randrange(1000)} ✓")
        self._guesses.append(action.guess)
        hint = f"It has {self._random.randrange(9)} letters."
        return RiddleObservation(text=action.guess[::-1], guesses=list(self._guesses), hint=hint)


class Item(BaseModel):
    name: Literal["bread", "milk", "salt"]
    count: int = 1


class Shelf(BaseModel):
    label: str
    items: list[Item] = Field(default_factory=list)


class DepotAction(Action):
    put: Item
    on: list[int] = Field(default_factory=list)
    note: str | None = None


class DepotObservation(Observation):
    shelves: list[Shelf]
    totals: list[int]
    last: Item | None = None


class Depot(_Seeded):
    """Shelves with items: models in lists in models. What was put last is null at first."""

    def observe(self, action: DepotAction | None) -> DepotObservation:
        if action is None:
            self._shelves = [Shelf(label=f"shelf {self._random.randrange(9)}") for _ in range(2)]
        else:
            for number in action.on or [0]:
                self._shelves[number % 2].items.append(action.put)
        totals = [len(shelf.items) for shelf in self._shelves]
        last = None if action is None else action.put
        return DepotObservation(shelves=list(self._shelves), totals=totals, last=last)


class CameraAction(Action):
    pan: float
    flash: bool = False


class CameraObservation(Observation):
    image: list[list[list[int]]]
    frame: int = 0


class Camera(_Seeded):
    """A picture of 24 x 32 pixels, as nested lists."""

    def observe(self, action: CameraAction | None) -> CameraObservation:
        light = 255 if action is not None and action.flash else self._random.randrange(200)
        row = [[light, column, self._random.randrange(256)] for column in range(32)]
        return CameraObservation(image=[row] * 24, frame=self._state.step_count)


class GaugesAction(Action):
    settings: dict[str, float] = Field(default_factory=dict)


class GaugesObservation(Observation):
    readings: dict[str, float] = Field(default_factory=dict)
    labels: dict[str, str] = Field(default_factory=dict)
    report: dict[str, Any] = Field(default_factory=dict)


class Gauges(_Seeded):
    """Objects with any keys: some of the same ones in each observation, others as they come."""

    def observe(self, action: GaugesAction | None) -> GaugesObservation:
        settings = {} if action is None else action.settings
        return GaugesObservation(
            readings={"heat": self._random.random(), "steps": self._state.step_count},
            labels={f"gauge {number}": name for number, name in enumerate(settings)},
            report={"settings": settings, "good": [not settings, None]},
        )


KINDS: dict[str, tuple[Any, Any, Any]] = {
    "safe": (Safe, CallToolAction, CallToolObservation),
    "riddle": (Riddle, RiddleAction, RiddleObservation),
    "depot": (Depot, DepotAction, DepotObservation),
    "camera": (Camera, CameraAction, CameraObservation),
    "gauges": (Gauges, GaugesAction, GaugesObservation),
    "quiz": (Quiz, QuizAction, QuizObservation),
}


def served(name: str) -> FastAPI:
    """Return the application of one environment, on OpenEnv's own server."""
    app: FastAPI = create_app(*KINDS[name], env_name=name, max_concurrent_envs=SESSIONS)
    return app


def __getattr__(name: str) -> FastAPI:
    if name != "everything":
        raise AttributeError(name)
    app = FastAPI()
    for kind in KINDS:
        app.mount(f"/{kind}", served(kind))
    return app
