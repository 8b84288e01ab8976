"""The libraries behind the environments, stepped by themselves: what environments.py compares with.

A module each; it imports its library, and nothing of ours but :class:`Player`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Player(ABC):
    """Plays episodes of one environment. Choosing an action is not timed; reset and step are."""

    @abstractmethod
    def reset(self) -> None:
        """Begins an episode."""

    @abstractmethod
    def choose(self) -> Any:
        """An action for the next step."""

    @abstractmethod
    def step(self, action: Any) -> bool:
        """Carries out an action, and makes the observation and mask that ours makes.

        Returns:
            Whether the episode is over.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Ends what it started."""
