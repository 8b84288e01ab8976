"""Players of the library behind an environment, to compare the environment's speed with.

The ``bare.py`` of an environment's folder has ``COMPARISONS``, which
``benchmarks/environments.py`` measures. It imports its library when a player is made, and no module
of this package but this one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


def draw(mask: NDArray[np.int8], rng: np.random.Generator) -> int:
    """Return a legal action. The environments' players use this function too, for equal caches."""
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
        """Carry out an action, and make the same observation and mask as the environment.

        Returns:
            Whether the episode is over.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """End what the player started."""


@dataclass(frozen=True)
class Comparison:
    """An environment and its library.

    Attributes:
        name: Name of the row.
        id: Id of the environment.
        bare: Function that makes the player of the library.
        options: Options of the environment.
        bar: Ratio of steps per second to reach; None for no bar.
        actions: Actions to repeat; random legal actions where it is empty.
        apart: Whether a process has room for only one of the two, so that one is measured after
            the other.
    """

    name: str
    id: str
    bare: Callable[[], Player]
    options: Mapping[str, Any] = field(default_factory=dict)
    bar: float | None = None
    actions: Sequence[Any] = ()
    apart: bool = False
