"""Lists of one length, as JSON has them, to Spaces: arrays where the items are numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.spaces.convert import Converter, one_number
from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.json import values as jsonvalues


def list_of(part: Spaced, length: int, place: str) -> Spaced:
    """The Space of a list of one length, and how JSON's values become its values.

    Args:
        part: Of its items, with the converter of :mod:`openenv_gym.spaces.json.values`.
        length: How many.
        place: The field, for errors.
    """
    if not length:
        return Spaced(spaces.Discrete(1), Converter(_empty(place), lambda value: []))
    array = _array_of(part, length)
    if array is None:
        converter = jsonvalues.items([part.converter] * length, place)
        return Spaced(spaces.Tuple([part.space] * length), converter)
    if isinstance(array, spaces.MultiBinary):
        return Spaced(array, jsonvalues.booleans(array, place))
    return Spaced(array, jsonvalues.json_values(array, place))


def _array_of(part: Spaced, length: int) -> Space[Any] | None:
    """The Space of an array of such items; None where they are no numbers."""
    space, from_space = part.space, part.converter.from_space
    if isinstance(space, spaces.Discrete) and from_space is bool:
        return spaces.MultiBinary(length)
    if isinstance(space, spaces.MultiBinary):
        return spaces.MultiBinary([length, *space.shape])
    if isinstance(space, spaces.Discrete) and from_space is int:
        return spaces.MultiDiscrete([int(space.n)] * length, start=[int(space.start)] * length)
    if isinstance(space, spaces.MultiDiscrete):
        # Trainers take no MultiDiscrete of more than one dimension.
        low, high = space.start, space.start + space.nvec - 1
        return spaces.Box(np.stack([low] * length), np.stack([high] * length), dtype=np.int64)
    if isinstance(space, spaces.Box) and space.dtype is not None:
        join = np.concatenate if from_space is one_number else np.stack
        low, high = join([space.low] * length), join([space.high] * length)
        return spaces.Box(low, high, dtype=space.dtype.type)
    return None


def _empty(place: str) -> Callable[[Any], int]:
    def to_space(value: Any) -> int:
        if value != []:
            jsonvalues.refuse(place, value, "which is no empty list")
        return 0

    return to_space
