"""Numbers: the Space of lists of numbers of any length, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Sequence
from gymnasium.wrappers.utils import create_zero_array


class Numbers(Sequence):
    """Arrays of one dimension, of any length.

    gymnasium's ``Sequence(item, stack=True)`` has the same values, but warns about each number that
    it checks, since a number is not an array.

    Args:
        item: Box of the shape ``()`` that bounds each number.
        min_length: Fewest numbers.
        max_length: Most numbers; None for no limit.
        seed: Seed of :meth:`sample`.

    Raises:
        ValueError: The item is not a Box of a single number, or the lengths are not in order.
    """

    feature_space: Box  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        item: Box,
        *,
        min_length: int = 0,
        max_length: int | None = None,
        seed: int | None = None,
    ) -> None:
        if not isinstance(item, Box) or item.shape != ():
            raise ValueError(f"Numbers needs a Box of the shape (), not {item}")
        if min_length < 0 or (max_length is not None and max_length < min_length):
            raise ValueError(f"Numbers cannot have lengths of {min_length} to {max_length}")
        self.min_length, self.max_length = min_length, max_length
        super().__init__(item, seed=seed, stack=True)

    def sample(self, mask: Any = None, probability: Any = None) -> Any:
        """Return a random array, mostly a short one.

        Args:
            mask: A length, or lengths to choose from, and None for the numbers, as of a Sequence.
            probability: Likewise, with the probability of each length.
        """
        if mask is None and probability is None:
            length = self.min_length + int(self.np_random.geometric(0.25)) - (self.min_length > 0)
            mask = (length if self.max_length is None else min(length, self.max_length), None)
        return super().sample(mask, probability)

    def contains(self, x: Any) -> bool:
        """Return whether x is an array of the Space."""
        item = self.feature_space
        return (
            isinstance(x, np.ndarray)
            and x.ndim == 1
            and self.min_length <= len(x)
            and (self.max_length is None or len(x) <= self.max_length)
            and np.can_cast(x.dtype, item.dtype)
            and bool(np.all(x >= item.low) and np.all(x <= item.high))
        )

    def __repr__(self) -> str:
        return f"Numbers({self.feature_space}, {self.min_length}, {self.max_length})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Numbers)
            and self.feature_space == other.feature_space
            and (self.min_length, self.max_length) == (other.min_length, other.max_length)
        )


def _create_zero_array(space: Numbers) -> Any:
    return np.full(space.min_length, create_zero_array(space.feature_space))


register: Any = create_zero_array.register  # its own stub knows gymnasium's Spaces alone
register(Numbers, _create_zero_array)
