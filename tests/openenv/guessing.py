"""Environments whose observations leave what the first of them shows, to widen guessed Spaces.

Only a process that has ``openenv`` can import this module.
"""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from pydantic import ConfigDict, Field

from openenv.core import create_app
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State


class GrowingAction(Action):
    a: int


class GrowingObservation(Observation):
    board: list[list[int]]
    heat: list[float]
    history: list[int] = Field(default_factory=list)
    note: str | None = "begun"
    name: str = ""
    legal_actions: list[int] = Field(default_factory=list)


class Growing(Environment[GrowingAction, GrowingObservation, State]):
    """After each step, of the seed's number at first: longer lists, other types, more actions."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self) -> None:
        super().__init__()
        self._state = State()
        self._from = 0

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> GrowingObservation:
        self._state = State(episode_id=episode_id)
        self._from = seed or 0
        return self.observe(0)

    def step(self, action: GrowingAction) -> GrowingObservation:
        self._state.step_count += 1
        steps = self._state.step_count
        seen = self.observe(max(0, steps - self._from))
        seen.reward, seen.done = float(action.a), steps == 8
        return seen

    def observe(self, grown: int) -> GrowingObservation:
        heat = [0.5, 1.0] if grown == 3 else [1.0, 2.0]
        return GrowingObservation(
            board=[[grown, -grown]] * 2,
            heat=heat,
            history=[7] * (3 + grown),
            note=None if grown == 2 else "x",
            name="n" * grown,
            legal_actions=[*range(2 + grown)],
        )

    @property
    def state(self) -> State:
        return self._state


class FlatObservation(Observation):
    heat: list[float]


class Flat(Growing):
    """Observes a list of the seed's length."""

    def observe(self, grown: int) -> Any:
        return FlatObservation(heat=[0.5 * grown] * (2 + grown % 2))


class AliasedAction(Action):
    move: int = Field(alias="moveTo", ge=0, le=3)
    done: bool = False
    """Whether the player is done: the field of an action, not of its outcome."""


class AliasedObservation(Observation):
    model_config = ConfigDict(extra="allow")

    moved: int = Field(default=0, ge=0, le=3)
    board: int = Field(default=0, alias="theBoard", ge=0, le=3)


class Aliased(Growing):
    """Takes and observes fields with aliases, and observes one that its model does not have."""

    def reset(self, seed: int | None = None, episode_id: str | None = None) -> Any:
        return AliasedObservation(beside=[0])

    def step(self, action: Any) -> Any:
        seen = AliasedObservation(moved=action.move, theBoard=action.move, beside=[action.move])
        seen.done = action.done
        return seen


def served() -> FastAPI:
    """Return an application with all, each below its name."""
    app = FastAPI()
    for kind, taken, seen in (
        (Growing, GrowingAction, GrowingObservation),
        (Flat, GrowingAction, FlatObservation),
        (Aliased, AliasedAction, AliasedObservation),
    ):
        name = kind.__name__.lower()
        made = create_app(kind, taken, seen, env_name=name, max_concurrent_envs=16)
        app.mount(f"/{name}", made)
    return app


everything = served()
