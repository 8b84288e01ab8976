"""``make(..., mask_in_observation=True)``: observations that have the legal actions in them.

For trainers that pass observations on, and not infos, as RLlib does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space

from openenv_gym.errors import OptionError
from openenv_gym.sessions.adapters import Adapter
from openenv_gym.sessions.exports import Exports
from openenv_gym.spaces.describe import describe
from openenv_gym.wire.messages import Description, StepOutcome

OPTION = "mask_in_observation"
"""Name of the keyword of ``make``, which each environment with a mask takes."""


def take_option(options: Mapping[str, Any]) -> tuple[bool, dict[str, Any]]:
    """Return whether the mask is to be in observations, and the options of the environment.

    Raises:
        OptionError: The value is not a bool.
    """
    rest = dict(options)
    wanted = rest.pop(OPTION, False)
    if not isinstance(wanted, bool):
        raise OptionError(f"{OPTION}={wanted!r} is not a bool: give True or False.")
    return wanted, rest


class MaskInObservation(Adapter):
    """An environment whose observations are ``Dict(observations=..., action_mask=...)``.

    Args:
        adapter: The environment, which has Discrete actions and tells the legal ones.
        name: Its name, for errors.

    Raises:
        OptionError: It does not tell the legal actions.
    """

    def __init__(self, adapter: Adapter, name: str) -> None:
        actions = adapter.action_space
        if not (adapter.has_mask and isinstance(actions, Discrete)):
            raise OptionError(
                f"{OPTION}=True is for environments that tell which actions are legal, which "
                f"{name} does not: leave it out.",
                environment=name,
            )
        self._adapter = adapter
        self.action_space = actions
        mask = Box(0, 1, (int(actions.n),), np.int8)
        self.observation_space = Dict(observations=adapter.observation_space, action_mask=mask)
        self.metadata = adapter.metadata
        self.render_mode = adapter.render_mode
        self.has_mask = True
        self.inline = adapter.inline
        self.steps_after_end = adapter.steps_after_end
        self.max_episode_steps = adapter.max_episode_steps
        self.steps_before_reset = adapter.steps_before_reset

    def action_parser(self) -> Callable[[Any], Any] | None:
        """Implements Adapter.action_parser."""
        return self._adapter.action_parser()

    def stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.stepper."""
        step = self._adapter.stepper()
        return lambda action: _with_mask(step(action))

    def prepared_stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.prepared_stepper."""
        step = self._adapter.prepared_stepper()
        return lambda prepared: _with_mask(step(prepared))

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Implements Adapter.field_spaces."""
        return self._adapter.field_spaces()

    def exports(self) -> Exports:
        """Implements Adapter.exports."""
        return self._adapter.exports()

    def snapshot(self) -> Any:
        """Implements Adapter.snapshot."""
        return self._adapter.snapshot()

    def restore(self, saved: Any) -> None:
        """Implements Adapter.restore."""
        self._adapter.restore(saved)

    def description(self, name: str) -> Description:
        """Implements Adapter.description."""
        description = self._adapter.description(name)
        description.observation_space = describe(self.observation_space)
        return description

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        return _with_mask(self._adapter.reset(seed, options))

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return _with_mask(self._adapter.step(action))

    def prepared(self, actions: list[Any]) -> Sequence[Any]:
        """Implements Adapter.prepared."""
        return self._adapter.prepared(actions)

    def carry_out(self, prepared: Any) -> StepOutcome:
        """Implements Adapter.carry_out."""
        return _with_mask(self._adapter.carry_out(prepared))

    def render(self) -> Any:
        """Implements Adapter.render."""
        return self._adapter.render()

    def state(self) -> dict[str, Any]:
        """Implements Adapter.state."""
        return self._adapter.state()

    def query(self, subject: str, arguments: dict[str, Any]) -> Any:
        """Implements Adapter.query."""
        return self._adapter.query(subject, arguments)

    def close(self) -> None:
        """Implements Adapter.close."""
        self._adapter.close()


def _with_mask(outcome: StepOutcome) -> StepOutcome:
    observation, reward, terminated, truncated, info = outcome
    seen = {"observations": observation, "action_mask": info["action_mask"]}
    return seen, reward, terminated, truncated, info
