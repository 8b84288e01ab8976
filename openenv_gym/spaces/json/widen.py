"""Guessed Spaces, which widen when a later value is outside of them.

What one observation shows of a field is a guess. A value that is outside must not end an episode:
the Space becomes one that has the value too, where it can of the same kind, else a ``JsonText``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.errors import SpaceError
from openenv_gym.spaces import json_text
from openenv_gym.spaces.convert import Converter
from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.json import samples
from openenv_gym.spaces.json import values as jsonvalues
from openenv_gym.spaces.json_text import LONGEST, JsonText
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8


class Change(NamedTuple):
    """A Space that became wider.

    Attributes:
        place: The field, such as ``"observation.board"``.
        before: The Space until now.
        after: The Space that takes its place.
    """

    place: str
    before: Space[Any]
    after: Space[Any]


class Guess:
    """A Space that may be too narrow, and the converter of values of JSON to it.

    Args:
        spaced: The Space as it was guessed.
        place: The field.
        certain: The Space is known, so that only null, which is none of its values, widens it.
        changes: List to which each change is appended.
    """

    def __init__(self, spaced: Spaced, place: str, changes: list[Change], *, certain: bool) -> None:
        self._space, self._convert = spaced.space, spaced.converter.to_space
        self._from_space = spaced.converter.from_space
        self._place = place
        self._certain = certain
        self._changes = changes

    @property
    def spaced(self) -> Spaced:
        """The Space as it is now, with a converter that widens it."""
        return Spaced(self._space, Converter(self._to_space, self._from_space))

    def _to_space(self, value: Any) -> Any:
        try:
            return self._convert(value)
        except SpaceError:
            if self._certain and value is not None:
                raise
        found = self._wider(value)
        self._changes.append(Change(self._place, self._space, found.space))
        self._space, self._convert = found.space, found.converter.to_space
        return self._convert(value)

    def _wider(self, value: Any) -> Spaced:
        space = self._space
        nothing = jsonvalues.nothing(self._place)
        if value is None:
            parts = [nothing, Converter(self._convert, self._from_space)]
            either = spaces.OneOf([spaces.Discrete(1), space])
            return Spaced(either, jsonvalues.alternatives(parts, self._place))
        if isinstance(space, spaces.OneOf) and not _is_optional_leaf(space):
            last = JsonText()
            parts = [
                Converter(self._convert, self._from_space),
                jsonvalues.json_values(last, self._place),
            ]
            return _with_another(space, last, parts)
        found = wider(space, value)
        return Spaced(found, jsonvalues.json_values(found, self._place))


_LEAVES = (Utf8, spaces.Box, Numbers)


def _is_optional_leaf(space: spaces.OneOf[Any]) -> bool:
    first, *others = space.spaces
    return first == spaces.Discrete(1) and len(others) == 1 and isinstance(others[0], _LEAVES)


def _with_another(space: spaces.OneOf[Any], last: JsonText, parts: list[Converter]) -> Spaced:
    """Return a union with one more alternative."""
    known, other = parts
    number = np.int64(len(space.spaces))

    def to_space(value: Any) -> Any:
        try:
            return known.to_space(value)
        except SpaceError:
            return number, other.to_space(value)

    def from_space(value: Any) -> Any:
        return other.from_space(value[1]) if value[0] == number else known.from_space(value)

    return Spaced(spaces.OneOf([*space.spaces, last]), Converter(to_space, from_space))


def wider(space: Space[Any], value: Any) -> Space[Any]:
    """Return a Space of the values of another and of one that is outside of it.

    Args:
        space: The Space that is too narrow.
        value: A value of JSON.
    """
    found: Space[Any] | None = None
    if isinstance(space, spaces.OneOf):  # of null and a leaf
        return spaces.OneOf([spaces.Discrete(1), wider(space.spaces[1], value)])
    if isinstance(value, str) and type(space) is Utf8:
        found = Utf8(_length(space.max_length, len(value)))
        found = found if found.contains(value) else None
    elif isinstance(space, spaces.Discrete) and type(value) is int:
        found = _discrete(space, value)
    elif isinstance(space, spaces.Box | Numbers) and type(value) in (int, float, list):
        found = _numeric(space, value)
    return found or _json(space, value)


def _json(space: Space[Any], value: Any) -> JsonText:
    text = json_text.dump(value)
    known = space.max_length if isinstance(space, JsonText) else LONGEST
    same = isinstance(space, JsonText) and len(text) > known
    schema: Mapping[str, Any] = space.schema if same and isinstance(space, JsonText) else {}
    found = JsonText(schema, max_length=_length(known, len(text)))
    return found if found.contains(text) else JsonText(max_length=found.max_length)


def _length(known: int, needed: int) -> int:
    length = max(known, 1)
    while length < needed:
        length *= 2
    return length


def _discrete(space: spaces.Discrete, value: int) -> Space[Any] | None:
    start, end = int(space.start), int(space.start) + int(space.n)
    start, end = min(start, value), max(end, value + 1)
    if not -(2**62) < start <= end < 2**62:
        return None
    return spaces.Discrete(end - start, start=start)


def _numeric(space: spaces.Box | Numbers, value: Any) -> Space[Any] | None:
    """Return the Space of all numbers, of the shape that there is or of lists of any length."""
    if isinstance(space, Numbers) and not isinstance(value, list):
        return None
    array = samples.numbers(value if isinstance(value, list) else [value])
    if array is None and value != []:
        return None
    item = space.feature_space if isinstance(space, Numbers) else space
    integral = np.dtype(item.dtype).kind != "f" and (array is None or array.dtype.kind == "i")
    dtype: Any = np.int64 if integral else np.float64
    if isinstance(space, spaces.Box) and (array is None or array.shape != space.shape):
        fits = array is not None and array.ndim <= 1 and array.size == np.prod(space.shape)
        if fits and array is not None:
            return spaces.Box(-np.inf, np.inf, space.shape, dtype)
        if len(space.shape) != 1 or not isinstance(value, list):
            return None
    if array is not None and array.ndim > 1 and isinstance(space, Numbers):
        return None
    if isinstance(space, spaces.Box) and array is not None and array.shape == space.shape:
        return spaces.Box(-np.inf, np.inf, space.shape, dtype)
    if array is not None and array.ndim != 1:
        return None
    return Numbers(spaces.Box(-np.inf, np.inf, (), dtype))


def replaced(space: Space[Any], changes: list[Change]) -> Space[Any]:
    """Return a Space in which those that became wider are in the place of those before.

    Spaces that contain others are changed themselves, since guesses know them.
    """
    for change in changes:
        space = _replaced(space, change)
    return space


def _replaced(space: Space[Any], change: Change) -> Space[Any]:
    if space is change.before:
        return change.after
    if space is change.after:  # which may have the one before in it
        return space
    if isinstance(space, spaces.Dict):
        for key, part in space.spaces.items():
            space.spaces[key] = _replaced(part, change)
    elif isinstance(space, spaces.Sequence) and not isinstance(space, Numbers):
        space.feature_space = _replaced(space.feature_space, change)
    elif isinstance(space, spaces.Tuple | spaces.OneOf):
        space.spaces = tuple(_replaced(part, change) for part in space.spaces)
    return space
