"""Environments that return something else than an observation, and actions that are tensors."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from gymnasium.spaces import Discrete

from openenv_gym.env import OpenEnvGym
from openenv_gym.environment import Environment
from openenv_gym.errors import ActionError, EnvironmentFailedError, SpaceError
from openenv_gym.models import Action, Observation, State
from tests.environments import THREADED


class Flip(Action):
    side: Annotated[int, Discrete(2)]


class Seen(Observation):
    side: Annotated[int, Discrete(2)]


class Forgetful(Environment[Flip, Seen, State]):
    """Its step returns what it is told to return."""

    returned: Any = None

    def reset(self) -> Seen:
        return Seen(side=0)

    def step(self, action: Flip) -> Seen:
        seen: Seen = self.returned
        return seen

    @property
    def state(self) -> State:
        return State()


class LikeGymnasium(Forgetful):
    returned = (0, 0.0, False, False, {})


class LikeNumbers(Forgetful):
    returned = 3


class WithoutModels(Environment):  # type: ignore[type-arg]
    def reset(self) -> Seen:
        return Seen(side=0)

    def step(self, action: Any) -> Seen:
        return Seen(side=0)

    @property
    def state(self) -> State:
        return State()


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Forgetful, "returned None where a Seen is due: is a return missing"),
        (LikeGymnasium, "returned a tuple where a Seen is due: .* among its fields"),
        (LikeNumbers, "returned a int where a Seen is due"),
    ],
)
def test_what_is_not_an_observation(kind: type[Forgetful], text: str) -> None:
    env = OpenEnvGym(kind)
    env.reset()
    with pytest.raises(EnvironmentFailedError, match=text):
        env.step(0)
    env.close()


def test_models_that_are_not_named() -> None:
    with pytest.raises((SpaceError, EnvironmentFailedError), match=r"WithoutModels.*MyAction"):
        OpenEnvGym(WithoutModels)


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_tensors(transport: str) -> None:
    torch = pytest.importorskip("torch")
    env = OpenEnvGym(THREADED, transport=transport)
    env.reset()
    with pytest.raises(ActionError, match=r"action\.numpy\(\), or action\.item\(\)"):
        env.step(torch.tensor(0))
    env.close()
