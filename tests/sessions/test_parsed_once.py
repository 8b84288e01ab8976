"""An action that OpenEnv's protocol brings is validated once, and stepped as it was parsed."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import field_validator

from openenv_gym import registry
from openenv_gym.environment import Environment
from openenv_gym.errors import ActionError
from openenv_gym.models import Action, Observation, State
from openenv_gym.server.openenv_protocol.adapter import make_json_adapter
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open, Reset, Step

validated: list[int] = []


class CountedAction(Action):
    number: bool

    @field_validator("number")
    @classmethod
    def _count(cls, value: bool) -> bool:
        validated.append(value)
        return value


class CountedObservation(Observation):
    last: bool


class Counted(Environment[CountedAction, CountedObservation, State]):
    """Says what it was given."""

    def reset(self) -> CountedObservation:
        return CountedObservation(last=False)

    def step(self, action: CountedAction) -> CountedObservation:
        return CountedObservation(last=action.number)

    @property
    def state(self) -> State:
        return State()


def test_each_action_is_validated_once() -> None:
    session = Session(f"{__name__}:Counted", make_adapter=make_json_adapter)
    session.handle(Open(None, {}))
    session.handle(Reset(None))
    validated.clear()
    result: Any = session.handle(Step({"number": True}))
    assert validated == [True]
    assert result.observation["last"] is True
    with pytest.raises(ActionError):
        session.handle(Step({"number": "neither"}))
    assert session.handle(Step({"number": False})).observation["last"] is False  # type: ignore[attr-defined]
    session.close()
    assert registry.environment("echo")
