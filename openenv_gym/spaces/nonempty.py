"""NonEmpty: the Space of sequences with at least one item, which gymnasium's Sequence lacks."""

from __future__ import annotations

from typing import Any

from gymnasium.spaces import Sequence
from gymnasium.vector.utils import iterate
from gymnasium.wrappers.utils import create_zero_array


class NonEmpty(Sequence):
    """A ``Sequence`` without the empty one, for example of the tokens of a message.

    It samples like a Sequence, which does not draw empty ones either, unless a mask asks for one.

    Args:
        space: Space of the items.
        seed: Seed of :meth:`sample`.
        stack: Whether values are arrays, as for a Sequence.
    """

    def contains(self, x: Any) -> bool:
        """Return whether x is a sequence of the Space with at least one item."""
        return super().contains(x) and not self.is_empty(x)

    def is_empty(self, x: Any) -> bool:
        """Return whether a value of the Sequence has no items."""
        return not any(True for _ in (iterate(self.stacked_feature_space, x) if self.stack else x))

    def __repr__(self) -> str:
        return f"NonEmpty({self.feature_space}, stack={self.stack})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NonEmpty) and super().__eq__(other)


def _create_zero_array(space: NonEmpty) -> Any:
    """Return a sequence of one item."""
    if space.stack:
        stacked: Any = space.stacked_feature_space
        return create_zero_array(stacked)
    return (create_zero_array(space.feature_space),)


register: Any = create_zero_array.register  # its own stub knows gymnasium's Spaces alone
register(NonEmpty, _create_zero_array)
