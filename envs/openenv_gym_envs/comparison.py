"""The library behind an environment, stepped by itself: what a step of ours is compared with.

The ``bare.py`` of an environment's folder has ``COMPARISONS``, which
``benchmarks/environments.py`` measures. It imports its library when a player is made, and nothing
of ours but this module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def draw(mask: NDArray[np.int8], rng: np.random.Generator) -> int:
    """Return a legal action. Ours choose by it too, so that both find the same caches."""
    legal = np.flatnonzero(mask)
    return int(legal[rng.integers(len(legal))])


class Player(ABC):
    """Plays episodes of one environment. Choosing an action is not timed; reset and step are."""

    @abstractmethod
    def reset(self) -> None:
        """Begin an episode."""

    @abstractmethod
    def choose(self) -> Any:
        """Return an action for the next step."""

    @abstractmethod
    def step(self, action: Any) -> bool:
        """Carry out an action, and make the observation and mask that ours makes.

        Returns:
            Whether the episode is over.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """End what it started."""


@dataclass(frozen=True)
class Comparison:
    """An environment and its library.

    Attributes:
        name: The name of the row.
        id: The environment's id.
        bare: Makes the player of the library.
        options: Options of the environment.
        bar: The ratio of steps per second to reach; None where there is none.
        actions: What is done, over and over; random legal actions where it is empty.
        apart: There is room for one in a process: one is measured after the other.
    """

    name: str
    id: str
    bare: Callable[[], Player]
    options: Mapping[str, Any] = field(default_factory=dict)
    bar: float | None = None
    actions: Sequence[Any] = ()
    apart: bool = False
