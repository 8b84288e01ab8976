"""Adapter: an environment of any make, as the session sees it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from gymnasium.spaces import Space

from openenv_gym.errors import SnapshotError
from openenv_gym.sessions.exports import Exports
from openenv_gym.sessions.tasks import unsupported
from openenv_gym.spaces.describe import describe
from openenv_gym.wire.messages import Description, StepOutcome


class Adapter(ABC):
    """An environment that takes and gives values of its Spaces.

    Attributes:
        action_space: Space of its actions.
        observation_space: Space of its observations.
        metadata: For ``env.metadata``.
        render_mode: The mode that it renders in, if any.
        has_mask: Its infos carry ``action_mask``.
        inline: Its steps are short and never block.
        steps_after_end: A step after the end of the episode is its own affair.
        max_episode_steps: After so many steps it truncates an episode itself; None: never.
        steps_before_reset: A step before the first reset is its own affair.
        sources: Where the bounds of each leaf of its Spaces came from, where a guess is among them.
        widened: Called when one of its Spaces became wider.
    """

    action_space: Space[Any]
    observation_space: Space[Any]
    metadata: dict[str, Any]
    render_mode: str | None
    has_mask: bool = False
    inline: bool = False
    steps_after_end: bool = False
    max_episode_steps: int | None = None
    steps_before_reset: bool = False
    sources: Mapping[str, str] = MappingProxyType({})
    widened: Callable[[], None] = staticmethod(lambda: None)

    def action_parser(self) -> Callable[[Any], Any] | None:
        """Return what makes of an action that was sent what :meth:`step` takes.

        It raises ActionError for what is not an action. None: actions are sent as values of the
        action space, which need no more than a check.
        """
        return None

    def stepper(self) -> Callable[[Any], StepOutcome]:
        """Return :meth:`step`, or a shorter way to the same."""
        return self.step

    def prepared_stepper(self) -> Callable[[Any], StepOutcome]:
        """Return :meth:`carry_out`, or a shorter way to the same."""
        return self.carry_out

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Spaces of its models' fields, by ``"action.name"``; None: in none. Empty: no models."""
        return {}

    def exports(self) -> Exports:
        """Return what can be reached beside the episode; by default nothing."""
        return Exports(None, ())

    def snapshot(self) -> Any:
        """Return the episode as a plain value.

        Raises:
            SnapshotError: It cannot be saved.
        """
        raise SnapshotError("This environment cannot be saved: it has no snapshot().")

    def restore(self, saved: Any) -> None:
        """Go on with what :meth:`snapshot` returned."""
        raise SnapshotError("This environment cannot be saved: it has no restore().")

    def description(self, name: str) -> Description:
        """What a client has to know of it, under its name."""
        return Description(
            name,
            describe(self.action_space),
            describe(self.observation_space),
            self.metadata,
            self.has_mask,
            max_episode_steps=self.max_episode_steps,
        )

    @abstractmethod
    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Begin an episode."""

    @abstractmethod
    def step(self, action: Any) -> StepOutcome:
        """Carry out an action, which is in the action space, or what its parser made of it."""

    def prepared(self, actions: list[Any]) -> Sequence[Any]:
        """What :meth:`carry_out` takes for each of several actions, made faster together."""
        return actions

    def carry_out(self, prepared: Any) -> StepOutcome:
        """As :meth:`step`, of an action that :meth:`prepared` returned."""
        return self.step(prepared)

    @abstractmethod
    def render(self) -> Any:
        """The picture."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What there is to know beside the observation."""

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Return what a :class:`~openenv_gym.wire.messages.Query` asks for.

        Raises:
            OptionError: The environment has nothing of that kind, or no such task.
        """
        raise unsupported(subject)

    @abstractmethod
    def close(self) -> None:
        """Close the environment."""
