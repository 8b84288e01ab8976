"""An environment whose action is one of two, and what TRL sees of its tools."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, Literal, Union

from gymnasium.spaces import Discrete
from pydantic import BaseModel, Field

from openenv_gym.environment import Environment
from openenv_gym.models import Action, Info, Observation, State
from openenv_gym.trl import ToolEnvironment


class Go(BaseModel):
    """Goes on.

    Attributes:
        far: How far.
    """

    kind: Literal["go"] = "go"
    far: Annotated[int, Field(ge=0, le=9)]


class Wait(BaseModel):
    """Waits."""

    kind: Literal["wait"] = "wait"


class RoverAction(Action):
    does: Annotated[Union[Go, Wait], Field(discriminator="kind")]  # noqa: UP007


class RoverObservation(Observation):
    place: Annotated[int, Discrete(1000)]
    crew: Annotated[list[str], Info()] = Field(default_factory=list)


class Rover(Environment[RoverAction, RoverObservation, State]):
    """Has an action that is one of two."""

    def reset(self, place: int = 0) -> RoverObservation:
        self._place = place
        return RoverObservation(place=place, crew=["Zoë"])

    def step(self, action: RoverAction) -> RoverObservation:
        does = action.does
        far = does.far if isinstance(does, Go) else 0
        self._place += far
        return RoverObservation(place=self._place, reward=far)

    @property
    def state(self) -> State:
        return State()


ROVER = f"{__name__}:Rover"


def tools(environment: ToolEnvironment) -> dict[str, Any]:
    """What GRPOTrainer takes for the environment's tools."""
    return {
        name: getattr(environment, name)
        for name, _ in inspect.getmembers(type(environment), predicate=inspect.isfunction)
        if name not in ("reset", "get_reward") and not name.startswith("_")
    }
