"""``make(..., mask_in_observation=True)``: observations that have the legal actions in them.

For trainers that pass observations on, and not infos, as RLlib does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete

from openenv_gym.errors import OptionError
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.changed_outcomes import ChangedOutcomes
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


class MaskInObservation(ChangedOutcomes):
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
        super().__init__(adapter)
        self._put_mask()

    def _put_mask(self) -> None:
        count = int(getattr(self.action_space, "n"))  # noqa: B009
        mask = Box(0, 1, (count,), np.int8)
        self.observation_space = Dict(
            observations=self._adapter.observation_space, action_mask=mask
        )

    def _widen(self) -> None:
        """Like the base method, with the mask."""
        self.action_space = self._adapter.action_space
        self._put_mask()
        self.widened()

    def description(self, name: str) -> Description:
        """Implements Adapter.description."""
        description = self._adapter.description(name)
        description.observation_space = describe(self.observation_space)
        return description

    def _change(self, outcome: StepOutcome) -> StepOutcome:
        """Implements ChangedOutcomes._change."""
        observation, reward, terminated, truncated, info = outcome
        seen = {"observations": observation, "action_mask": info["action_mask"]}
        return seen, reward, terminated, truncated, info
