"""The base class of environments as OpenEnv's guide writes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Generic, TypeVar

from openenv_gym.compat.env_server.types import Action, Observation, State

ActionT = TypeVar("ActionT", bound=Action)
ObservationT = TypeVar("ObservationT", bound=Observation)
StateT = TypeVar("StateT", bound=State)


class Environment(ABC, Generic[ActionT, ObservationT, StateT]):
    """An environment of OpenEnv's shape: its models need no bounds, its reset need take no seed.

    The models are those of the annotations of ``step`` and ``state``, of what stands in brackets
    behind the base class, or those that are named with it: to ``create_app``, or to
    ``register_environment``.
    """

    SUPPORTS_CONCURRENT_SESSIONS: bool = True

    @abstractmethod
    def reset(self, *arguments: Any, **options: Any) -> Any:
        """Begin an episode; a subclass names ``seed``, ``episode_id`` and its options, or none."""

    @abstractmethod
    def step(self, action: Any) -> Any:
        """Carry out one action."""

    @property
    @abstractmethod
    def state(self) -> Any:
        """What there is to know beside the observation."""

    def close(self) -> None:  # most have nothing to release
        """Release what the environment holds."""
