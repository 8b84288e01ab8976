"""Unions of Spaces that lanes guessed apart, and their values in the union.

The lanes of a vector environment have one Space, while each lane guesses its own and widens it when
a value is outside. The union has the values of all, in the form that the widest of them has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import reduce
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from numpy.typing import NDArray

from openenv_gym.spaces import json_text
from openenv_gym.spaces.json.values import json_values
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

Lift = Callable[[Any], Any]
"""Function that makes of a value of one Space that of a wider one."""

_NULL = spaces.Discrete(1)


def union_of(all_spaces: Iterable[Space[Any]]) -> Space[Any]:
    """Return the Space that has the values of all of several."""
    return reduce(union, all_spaces)


def union(one: Space[Any], other: Space[Any]) -> Space[Any]:
    """Return the Space that has the values of both, a ``JsonText`` if no closer one has."""
    if one == other:
        return one
    found: Space[Any] | None = None
    if _is_optional(one) or _is_optional(other):
        found = spaces.OneOf([_NULL, union(_without_null(one), _without_null(other))])
    elif isinstance(one, spaces.OneOf) or isinstance(other, spaces.OneOf):
        found = _of_alternatives(one, other)
    elif isinstance(one, spaces.Dict) and isinstance(other, spaces.Dict):
        if list(one.spaces) == list(other.spaces):
            pairs = [(key, union(part, other.spaces[key])) for key, part in one.spaces.items()]
            found = spaces.Dict(pairs)
    elif isinstance(one, spaces.Tuple) and isinstance(other, spaces.Tuple):
        if len(one.spaces) == len(other.spaces):
            found = spaces.Tuple(list(map(union, one.spaces, other.spaces)))
    elif type(one) is spaces.Sequence and type(other) is spaces.Sequence:
        found = spaces.Sequence(union(one.feature_space, other.feature_space))
    elif type(one) is Utf8 and type(other) is Utf8:
        lengths = (one.min_length, other.min_length), (one.max_length, other.max_length)
        found = Utf8(max(lengths[1]), min_length=min(lengths[0]))
    elif isinstance(one, spaces.Discrete) and isinstance(other, spaces.Discrete):
        start = min(int(one.start), int(other.start))
        end = max(int(space.start) + int(space.n) for space in (one, other))
        found = spaces.Discrete(end - start, start=start)
    elif isinstance(one, spaces.Box | Numbers) and isinstance(other, spaces.Box | Numbers):
        found = _of_numbers(one, other)
    return found or JsonText(max_length=max(map(_longest, (one, other))))


def _is_optional(space: Space[Any]) -> bool:
    return isinstance(space, spaces.OneOf) and len(space.spaces) == 2 and space.spaces[0] == _NULL


def _without_null(space: Space[Any]) -> Space[Any]:
    return space.spaces[1] if isinstance(space, spaces.OneOf) and _is_optional(space) else space


def _of_alternatives(one: Space[Any], other: Space[Any]) -> Space[Any] | None:
    """Return the union of Spaces of alternatives, of which one may have more at its end."""
    if not (isinstance(one, spaces.OneOf) and isinstance(other, spaces.OneOf)):
        return None
    fewer, more = sorted([list(one.spaces), list(other.spaces)], key=len)
    return spaces.OneOf([*map(union, fewer, more), *more[len(fewer) :]])


def _of_numbers(one: spaces.Box | Numbers, other: spaces.Box | Numbers) -> Space[Any] | None:
    items = [space.feature_space if isinstance(space, Numbers) else space for space in (one, other)]
    integral = all(np.dtype(item.dtype).kind in "iu" for item in items)
    dtype: Any = np.int64 if integral else np.float64
    if isinstance(one, spaces.Box) and isinstance(other, spaces.Box) and one.shape == other.shape:
        if one.dtype == other.dtype:
            dtype = one.dtype
        low, high = np.minimum(one.low, other.low), np.maximum(one.high, other.high)
        unbounded = not all(np.all(space.is_bounded()) for space in (one, other))
        if unbounded:  # as a guess that widened is
            return spaces.Box(-np.inf, np.inf, one.shape, dtype)
        return spaces.Box(low, high, dtype=dtype)
    shapes = [space.shape for space in (one, other) if isinstance(space, spaces.Box)]
    if any(len(shape) != 1 for shape in shapes):
        return None
    return Numbers(spaces.Box(-np.inf, np.inf, (), dtype))


def _longest(space: Space[Any]) -> int:
    return space.max_length if isinstance(space, JsonText) else json_text.LONGEST


def lift(before: Space[Any], after: Space[Any]) -> Lift:
    """Return what makes of a value of a Space that of a union with it."""
    if before == after or (isinstance(before, JsonText) and isinstance(after, JsonText)):
        return _same
    if isinstance(after, JsonText):
        converter = json_values(before, "observation")
        return lambda value: json_text.dump(converter.from_space(value))
    if isinstance(after, spaces.OneOf):
        if _is_optional(after) and not _is_optional(before):
            present = lift(before, after.spaces[1])
            return lambda value: (np.int64(1), present(value))
        assert isinstance(before, spaces.OneOf), "else the union is another"
        parts = [lift(part, after.spaces[i]) for i, part in enumerate(before.spaces)]
        return lambda value: (value[0], parts[int(value[0])](value[1]))
    if isinstance(before, spaces.Dict) and isinstance(after, spaces.Dict):
        fields = {key: lift(part, after.spaces[key]) for key, part in before.spaces.items()}
        return lambda value: {key: part(value[key]) for key, part in fields.items()}
    if isinstance(before, spaces.Tuple) and isinstance(after, spaces.Tuple):
        members = list(map(lift, before.spaces, after.spaces))
        return lambda value: tuple(part(item) for part, item in zip(members, value, strict=True))
    if type(before) is spaces.Sequence and type(after) is spaces.Sequence:
        item = lift(before.feature_space, after.feature_space)
        return lambda value: tuple(map(item, value))
    if isinstance(after, spaces.Box | Numbers):
        dtype: Any = after.feature_space.dtype if isinstance(after, Numbers) else after.dtype
        return lambda value: np.asarray(value, dtype)
    return _same


def _same(value: Any) -> Any:
    return value


def fit_mask(mask: NDArray[Any], before: Space[Any], after: Space[Any]) -> NDArray[Any]:
    """Return the mask of the actions of a union, of a mask of some of them, or of several."""
    assert isinstance(before, spaces.Discrete), "it has a mask"
    assert isinstance(after, spaces.Discrete), "it has a mask"
    fitted = np.zeros((*mask.shape[:-1], int(after.n)), mask.dtype)
    first = int(before.start) - int(after.start)
    fitted[..., first : first + mask.shape[-1]] = mask
    return fitted
