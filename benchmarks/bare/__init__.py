"""The libraries behind the environments, stepped by themselves: what environments.py compares with.

A module each; it imports its library, and nothing of ours but :class:`Player`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray


def drawn(mask: NDArray[np.int8], rng: np.random.Generator) -> int:
    """A legal action. Ours choose by it too, so that both find the caches as it leaves them."""
    legal = np.flatnonzero(mask)
    return int(legal[rng.integers(len(legal))])


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
