"""Minari: texts in datasets.

::

    import minari
    import openenv_gym.minari                              # before a dataset is made or loaded

    env = minari.DataCollector(gymnasium.make("openenv/Echo-v0", transport="process"))

Minari knows gymnasium's ``Text`` and not the texts of ours. A dataset that was recorded has
:class:`RecordedText` for them, which is equal to the Space that they are of.
"""

from __future__ import annotations

import json
from typing import Any

from gymnasium.spaces import Space, Text

from openenv_gym.errors import missing_package
from openenv_gym.spaces.utf8 import Utf8

try:
    from minari.serialization import deserialize_space, serialize_space
except ImportError as error:
    raise missing_package("openenv_gym.minari", error.name or str(error), None) from error

__all__ = ["RecordedText"]


class RecordedText(Text):
    """Texts as a dataset has them: a ``Text``, as Minari needs to read them, of any characters.

    Args:
        max_length: The most code points.
        min_length: The fewest.
    """

    def __init__(self, max_length: int, *, min_length: int = 0) -> None:
        super().__init__(max_length, min_length=min_length)
        self._any = Utf8(max_length, min_length=min_length)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a random text."""
        return self._any.sample(mask, probability)

    def seed(self, seed: int | None = None) -> Any:
        """Seed :meth:`sample`."""
        return self._any.seed(seed)

    def contains(self, x: Any) -> bool:
        """Whether x is a text of a length within bounds."""
        return self._any.contains(x)

    def __eq__(self, other: object) -> bool:
        return self._any == (other._any if isinstance(other, RecordedText) else other)

    def __hash__(self) -> int:
        return hash(self._any)

    def __repr__(self) -> str:
        return f"RecordedText({self.max_length}, min_length={self.min_length})"


@serialize_space.register(Utf8)
@serialize_space.register(RecordedText)
def _serialize(space: Utf8 | RecordedText, to_string: bool = True) -> dict[str, Any] | str:
    reported = {"type": "Utf8", "max_length": space.max_length, "min_length": space.min_length}
    return json.dumps(reported) if to_string else reported


@deserialize_space.register("Utf8")
def _deserialize(reported: dict[str, Any]) -> Space[str]:
    return RecordedText(reported["max_length"], min_length=reported["min_length"])
