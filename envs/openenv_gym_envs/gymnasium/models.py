"""Models of the wrapped environment: one value each, of whatever Space it has."""

from __future__ import annotations

from typing import Any

from openenv_gym.models import Action, Observation, State


class GymnasiumAction(Action):
    """An action of the wrapped environment.

    Attributes:
        action: Value of its action space, as it is.
    """

    action: Any


class GymnasiumObservation(Observation):
    """What the wrapped environment returned.

    Attributes:
        observation: Value of its observation space, as it is.
        reward: Its reward, as it is.
        metadata: Its info.
    """

    observation: Any
    reward: Any = None


class GymnasiumState(State):
    """Which environment is wrapped.

    Attributes:
        env_id: Its id.
        env_kwargs: Keywords it was made with.
    """

    env_id: str
    env_kwargs: dict[str, Any]
