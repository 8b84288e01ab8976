"""An environment as OpenEnv's guide writes it, at our server, with the guide's own client."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pytest
from pydantic import Field

from openenv_gym.compat import Action, Environment, HTTPEnvClient, Observation, State, StepResult
from tests.servers import eventually, serving

Number = Annotated[int, Field(ge=0, le=9)]


@dataclass
class AddAction(Action):
    number: Number


@dataclass
class AddObservation(Observation):
    last: Number = 0


class AddEnvironment(Environment):
    """Adds numbers, from what its maker began with."""

    def __init__(self, begin: int = 0) -> None:
        self._begin = begin
        self._state = State()

    def reset(self, seed: int | None = None) -> AddObservation:
        self._sum, self._state = self._begin, State()
        return AddObservation(reward=0.0)

    def step(self, action: AddAction) -> AddObservation:
        self._state.step_count += 1
        self._sum += action.number
        return AddObservation(last=action.number, reward=float(self._sum), done=self._sum > 20)

    @property
    def state(self) -> State:
        return self._state


class AddEnv(HTTPEnvClient[AddAction, AddObservation]):
    def _step_payload(self, action: AddAction) -> dict[str, Any]:
        return {"number": action.number}

    def _parse_result(self, payload: dict[str, Any]) -> StepResult[AddObservation]:
        observation = AddObservation(last=payload["observation"]["last"])
        return StepResult(observation=observation, reward=payload["reward"], done=payload["done"])

    def _parse_state(self, payload: dict[str, Any]) -> State:
        return State(episode_id=payload["episode_id"], step_count=payload["step_count"])


@pytest.mark.parametrize(
    ("environment", "first"),
    [
        (AddEnvironment(begin=5), 8.0),
        (AddEnvironment, 3.0),
        (lambda: AddEnvironment(begin=7), 10.0),
    ],
    ids=["an environment", "its class", "a function"],
)
def test_what_is_given_to_create_app(environment: Any, first: float) -> None:
    given = {"env_name": "adding", "max_concurrent_envs": 2}
    with serving(environment, AddAction, AddObservation, **given) as served:
        url = served.url("http")
        with AddEnv(base_url=url) as one, AddEnv(base_url=url) as two:
            one.reset(seed=1)
            two.reset()
            assert one.step(AddAction(number=3)).reward == first
            assert two.step(AddAction(number=3)).reward == first  # each has its own
            result = one.step(AddAction(number=9))
            assert (result.observation.last, result.reward) == (9, first + 9)
            assert one.state().step_count == 2
            assert one.state().episode_id != two.state().episode_id is not None
        eventually(lambda: len(served.sessions) == 0)
