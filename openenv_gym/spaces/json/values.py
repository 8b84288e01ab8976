"""Converters of JSON values to values of Spaces and back, which check every value that arrives.

:mod:`openenv_gym.spaces.convert` converts values that a model has validated. Here nothing has
validated them: a server that is not ours may send anything, so a value that is not in the Space is
an error that names it.

JSON has no NaN and no infinity: OpenEnv's servers send null for them, which is read as NaN in
Spaces of floats.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import singledispatch
from typing import Any, NoReturn

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.errors import SpaceError
from openenv_gym.spaces import json_text
from openenv_gym.spaces.convert import Converter, one_number
from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

_SHOWN = 80


def refuse(place: str, value: Any, why: str) -> NoReturn:
    """Raise the error for a value that is not in its Space."""
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
    raise SpaceError(f"{place} is {shown}, {why}.", field=place, value=shown)


@singledispatch
def json_values(space: Space[Any], place: str) -> Converter:
    """Return the converter between values of JSON and values of the Space.

    Args:
        space: The Space.
        place: The field, for errors.

    Raises:
        SpaceError: Values of the Space have no form in JSON.
    """
    raise SpaceError(f"{place}: values of {space} have no form in JSON.", field=place)


@json_values.register
def _discrete(space: spaces.Discrete, place: str) -> Converter:
    start, end = int(space.start), int(space.start) + int(space.n)

    def to_space(value: Any) -> int:
        if not _is_integral(value) or not start <= value < end:
            refuse(place, value, f"which is not an integer of {start} to {end - 1}")
        return int(value)

    return Converter(to_space, int)


def _is_integral(value: Any) -> bool:
    """Return whether a number is an integer in JSON, which has one kind of numbers."""
    return type(value) is int or (type(value) is float and value.is_integer())


def boolean(place: str) -> Converter:
    """Return the converter between true or false and ``Discrete(2)``."""

    def to_space(value: Any) -> int:
        if type(value) is not bool:
            refuse(place, value, "which is neither true nor false")
        return int(value)

    return Converter(to_space, bool)


def choice(values: Sequence[Any], start: int, place: str) -> Converter:
    """Return the converter between a finite table of JSON values and their indices.

    Args:
        values: All values, in the order of their indices.
        start: Index of the first.
        place: The field, for errors.
    """
    indices = {_key(value): start + i for i, value in enumerate(values)}

    def to_space(value: Any) -> int:
        index = indices.get(_key(value))
        if index is None:
            refuse(place, value, f"which is not among its {len(values)} values")
        return index

    return Converter(to_space, lambda index: values[int(index) - start])


def _key(value: Any) -> str:
    """Return a key that is the same for values equal in JSON, where 1 is 1.0 but not true."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True)


def _array(space: Space[Any], place: str) -> Converter:
    """Return the converter between (nested) lists of numbers and an array.

    A flat list, and a single number, take the Space's shape.
    """
    dtype, shape = np.dtype(space.dtype), space.shape or ()
    low, high = _bounds(space)

    def to_space(value: Any) -> Any:
        array = _numbers(value, dtype, place)
        if array.shape != shape and array.ndim <= 1 and array.size == np.prod(shape, dtype=int):
            array = array.reshape(shape)
        if array.shape != shape:
            raise SpaceError(
                f"{place} has the shape {array.shape}, but its Space has {shape}.",
                field=place,
                shape=array.shape,
            )
        outside = (array < low) | (array > high)
        if outside.any():
            where = tuple(int(i) for i in np.argwhere(outside)[0])
            at = f"{place}{list(where)}" if where else place
            refuse(at, array[where].item(), f"which is not in its Space {space}")
        return array.astype(dtype, copy=False)

    return Converter(to_space, lambda value: np.asarray(value).tolist())


def _bounds(space: Space[Any]) -> tuple[Any, Any]:
    if isinstance(space, spaces.Box):
        return space.low, space.high
    if isinstance(space, spaces.MultiDiscrete):
        return space.start, space.start + space.nvec - 1
    return 0, 1


def _numbers(value: Any, dtype: np.dtype[Any], place: str) -> np.ndarray[Any, Any]:
    """Return an array of all numbers, with the dtype if it is one of floats, else of integers."""
    try:
        array = np.asarray(value)
        if dtype.kind == "f":
            if not all(isinstance(item, _NUMBERS) for item in _strange(array)):
                refuse(place, value, "which are not numbers")
            with np.errstate(over="raise"):
                return array.astype(dtype)  # null becomes NaN
    except (TypeError, ValueError, ArithmeticError) as error:
        refuse(place, value, f"which does not fit in an array of {dtype}: {error}")
    if array.dtype.kind == "f" and bool(((array == np.floor(array)) & _fit_int64(array)).all()):
        return array.astype(np.int64)
    wraps = array.dtype.kind == "u" and dtype.kind == "i" and not _fit_int64(array).all()
    if (array.dtype.kind not in "iub" or wraps) and array.size:
        refuse(place, value, "which are not integers" + f" that fit in {dtype}" * wraps)
    return array


def _fit_int64(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return whether each number fits: a cast of another one wraps round, without an error."""
    fits: np.ndarray[Any, Any] = np.abs(array) < 2**63
    return fits


_NUMBERS = (int, float, type(None))


def _strange(array: np.ndarray[Any, Any]) -> Iterable[Any]:
    """Return the items of an array that are not numbers of numpy."""
    return () if array.dtype.kind in "iuf" else array.flat


def single(space: spaces.Box, place: str) -> Converter:
    """Return the converter between a number and an array of one."""
    convert = _array(space, place).to_space

    def to_space(value: Any) -> Any:
        if isinstance(value, list):  # of another alternative, where there are several
            refuse(place, value, "which is not a number")
        return convert(value)

    return Converter(to_space, one_number)


json_values.register(spaces.Box, _array)
json_values.register(spaces.MultiBinary, _array)
json_values.register(spaces.MultiDiscrete, _array)


def booleans(space: spaces.MultiBinary, place: str) -> Converter:
    """Return the converter between (nested) lists of true and false and ``MultiBinary``."""
    numbers = _array(space, place)
    return Converter(numbers.to_space, lambda value: np.asarray(value, np.bool_).tolist())


def _text(space: Space[str], place: str) -> Converter:
    def to_space(value: Any) -> str:
        if not isinstance(value, str):
            refuse(place, value, "which is not a text")
        if not space.contains(value):
            refuse(place, value, f"a text of {len(value)} characters that is not in {space}")
        return value

    return Converter(to_space, str)


json_values.register(Utf8, _text)
json_values.register(spaces.Text, _text)


@json_values.register
def _json_text(space: JsonText, place: str) -> Converter:
    def to_space(value: Any) -> str:
        text = json_text.dump(value)
        if not space.contains(text):
            refuse(place, value, f"which is not in its Space {space}")
        return text

    return Converter(to_space, json_text.load)


@json_values.register
def _numbers_of_any_length(space: Numbers, place: str) -> Converter:
    dtype, low = np.dtype(space.feature_space.dtype), space.feature_space.low

    def to_space(value: Any) -> Any:
        array = _numbers(value, dtype, place) if value != [] else np.zeros(0, dtype)
        # NaN, which null becomes, is in no Box, and passes as it does in an array of one shape.
        numbers = np.where(np.isnan(array), low, array) if dtype.kind == "f" else array
        if not space.contains(numbers):
            refuse(place, value, f"which is not in its Space {space}")
        return array.astype(dtype, copy=False)

    return Converter(to_space, lambda value: np.asarray(value).tolist())


@json_values.register
def _dict(space: spaces.Dict, place: str) -> Converter:
    return fields({key: json_values(sub, f"{place}.{key}") for key, sub in space.items()}, place)


def defaults(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the default values of fields that an object may leave out."""
    return {
        name: part["default"]
        for name, part in properties.items()
        if isinstance(part, dict) and "default" in part
    }


def fields(
    parts: Mapping[str, Converter], place: str, defaults: Mapping[str, Any] | None = None
) -> Converter:
    """Return the converter between an object and a dict with the same fields.

    Args:
        parts: The converter of each field.
        place: The object, for errors.
        defaults: Default values of fields that an object may leave out.
    """
    defaults = defaults or {}

    def to_space(value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            refuse(place, value, "which is not an object")
        value = {**defaults, **value}
        for name in value.keys() ^ parts.keys():
            had = "is not in its Space" if name in value else "is missing"
            raise SpaceError(f"{place}.{name} {had}.", field=f"{place}.{name}")
        return {name: part.to_space(value[name]) for name, part in parts.items()}

    return Converter(
        to_space,
        lambda value: {name: part.from_space(value[name]) for name, part in parts.items()},
    )


@json_values.register(spaces.Tuple)
def _tuple(space: spaces.Tuple[Any], place: str) -> Converter:
    return items([json_values(sub, f"{place}[{i}]") for i, sub in enumerate(space)], place)


def items(parts: Sequence[Converter], place: str) -> Converter:
    """Return the converter between a list and a tuple of fixed length."""

    def to_space(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(parts):
            refuse(place, value, f"which is not a list of {len(parts)} items")
        return tuple(part.to_space(item) for part, item in zip(parts, value, strict=True))

    return Converter(
        to_space,
        lambda value: [part.from_space(item) for part, item in zip(parts, value, strict=True)],
    )


@json_values.register
def _sequence(space: spaces.Sequence, place: str) -> Converter:
    if space.stack:
        raise SpaceError(f"{place}: a stacked Sequence has no form in JSON.", field=place)
    return repeated(json_values(space.feature_space, f"{place}[]"), place)


def repeated(
    part: Converter, place: str, fits: Callable[[int], bool] = lambda length: True
) -> Converter:
    """Return the converter between a list and a tuple of any allowed length."""

    def to_space(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            refuse(place, value, "which is not a list")
        if not fits(len(value)):
            raise SpaceError(
                f"{place} has {len(value)} items, which its schema does not allow.", field=place
            )
        return tuple(map(part.to_space, value))

    return Converter(to_space, lambda value: [part.from_space(item) for item in value])


@json_values.register(spaces.OneOf)
def _one_of(space: spaces.OneOf[Any], place: str) -> Converter:
    parts = list(space.spaces)
    if len(parts) == 2 and parts[0] == spaces.Discrete(1):
        return alternatives([nothing(place), json_values(parts[1], place)], place)
    return alternatives([json_values(part, place) for part in parts], place)


def nothing(place: str) -> Converter:
    """Return the converter between null and ``Discrete(1)``."""

    def to_space(value: Any) -> int:
        if value is not None:
            refuse(place, value, "which is not null")
        return 0

    return Converter(to_space, lambda value: None)


def alternatives(parts: Sequence[Converter], place: str) -> Converter:
    """Return the converter between a value that one of several parts takes, and its number."""

    def to_space(value: Any) -> tuple[np.int64, Any]:
        reasons, as_nan = [], None
        for number, part in enumerate(parts):
            try:
                found = part.to_space(value)
            except SpaceError as error:
                reasons.append(str(error))
                continue
            # OneOf samples numbers of this type.
            result = np.int64(number), np.int64(found) if type(found) is int else found
            if value is not None or part.from_space(found) is None:
                return result
            as_nan = (
                as_nan or result
            )  # numbers take null for NaN: another part may have null itself
        if as_nan is not None:
            return as_nan
        raise SpaceError(" ".join(dict.fromkeys(reasons)), field=place)

    return Converter(to_space, lambda value: parts[int(value[0])].from_space(value[1]))


def list_of(part: Spaced, length: int, place: str) -> Spaced:
    """Return the Space of a list of one length, and the converter of values of JSON.

    Args:
        part: Space and converter of the items.
        length: Number of items.
        place: The field, for errors.
    """
    if not length:
        return Spaced(spaces.Discrete(1), Converter(_empty_list(place), lambda value: []))
    array = _array_of(part, length)
    if array is None:
        converter = items([part.converter] * length, place)
        return Spaced(spaces.Tuple([part.space] * length), converter)
    if isinstance(array, spaces.MultiBinary):
        return Spaced(array, booleans(array, place))
    return Spaced(array, json_values(array, place))


def _array_of(part: Spaced, length: int) -> Space[Any] | None:
    """Return the Space of an array of such items; None where they are not numbers."""
    space, from_space = part.space, part.converter.from_space
    if isinstance(space, spaces.Discrete) and from_space is bool:
        return spaces.MultiBinary(length)
    if isinstance(space, spaces.MultiBinary):
        return spaces.MultiBinary([length, *space.shape])
    if isinstance(space, spaces.Discrete) and from_space is int:
        return spaces.MultiDiscrete([int(space.n)] * length, start=[int(space.start)] * length)
    if isinstance(space, spaces.MultiDiscrete):
        # Trainers do not support MultiDiscrete with more than one dimension.
        low, high = space.start, space.start + space.nvec - 1
        return spaces.Box(np.stack([low] * length), np.stack([high] * length), dtype=np.int64)
    if isinstance(space, spaces.Box) and space.dtype is not None:
        join = np.concatenate if from_space is one_number else np.stack
        low, high = join([space.low] * length), join([space.high] * length)
        return spaces.Box(low, high, dtype=space.dtype.type)
    return None


def _empty_list(place: str) -> Callable[[Any], int]:
    def to_space(value: Any) -> int:
        if value != []:
            refuse(place, value, "which is not an empty list")
        return 0

    return to_space
