"""Converters of field values to Space values and back, with both directions side by side.

A model has values that are natural in Python and JSON (lists, enums, texts from a table); a Space
has values for gymnasium and trainers (arrays of one dtype, indices). :func:`converter` chooses the
functions once, when the environment is opened; a step only calls them.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import BaseModel, TypeAdapter

from openenv_gym.errors import SpaceError
from openenv_gym.spaces import json_text
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

_JSON = TypeAdapter[Any](Any)


class Converter(NamedTuple):
    """Two inverse functions.

    Attributes:
        to_space: Converts a field value to a value of the Space; raises SpaceError if it does not
            fit.
        from_space: Converts a value that is in the Space to a field value.
    """

    to_space: Callable[[Any], Any]
    from_space: Callable[[Any], Any]


def identity(value: Any) -> Any:
    """Return the value unchanged."""
    return value


IDENTITY = Converter(identity, identity)


def one_number(value: Any) -> Any:
    """Return the number in an array of one, as a number of Python."""
    return np.asarray(value).item()


def table(values: Sequence[Any], start: int, place: str) -> Converter:
    """Return the converter between a finite table of values and their indices.

    Args:
        values: All values, hashable, in the order of their indices.
        start: Index of the first.
        place: The field, for errors.

    Raises:
        SpaceError: Two values are equal.
    """
    indices = {value: start + i for i, value in enumerate(values)}
    if len(indices) < len(values):
        raise SpaceError(f"{place} lists a value twice: {tuple(values)}.", field=place)

    def to_space(value: Any) -> int:
        try:
            return indices[value]
        except (KeyError, TypeError):
            raise SpaceError(
                f"{place} is {value!r}, which is not among its {len(values)} values.",
                field=place,
                value=repr(value),
            ) from None

    return Converter(to_space, lambda index: values[int(index) - start])


def optional(inner: Converter) -> Converter:
    """Return the converter between ``X | None`` and ``OneOf(Discrete(1), X)``."""
    nothing = (np.int64(0), np.int64(0))

    def to_space(value: Any) -> Any:
        return nothing if value is None else (np.int64(1), inner.to_space(value))

    def from_space(value: Any) -> Any:
        return inner.from_space(value[1]) if value[0] else None

    return Converter(to_space, from_space)


def variants(
    models: Sequence[type[BaseModel]], parts: Sequence[Converter], place: str
) -> Converter:
    """Return the converter between an instance of one of several models, and number and value."""

    def to_space(value: Any) -> Any:
        for number, model in enumerate(models):
            if type(value) is model:
                return np.int64(number), parts[number].to_space(value)
        names = ", ".join(model.__name__ for model in models)
        raise SpaceError(f"{place} is a {type(value).__name__}, not one of {names}.", field=place)

    def from_space(value: Any) -> Any:
        number = int(value[0])
        return models[number].model_validate(parts[number].from_space(value[1]))

    return Converter(to_space, from_space)


def item_types(annotation: Any, count: int) -> list[Any]:
    """Return the types of the items of a list or tuple annotation; Any if it does not name them."""
    arguments = [a for a in typing.get_args(annotation) if a is not Ellipsis]
    if typing.get_origin(annotation) is tuple and len(arguments) == count:
        return arguments
    return [arguments[0] if arguments else Any] * count


def strip(annotation: Any) -> Any:
    """Return the annotation without ``Annotated``."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    return annotation


@singledispatch
def _by_space(space: Space[Any], annotation: Any, place: str) -> Converter:
    return IDENTITY


def converter(space: Space[Any], annotation: Any, place: str) -> Converter:
    """Return the converter between values of a field of this type and values of the Space.

    Args:
        space: The field's Space.
        annotation: The field's type. ``Any`` takes values of the Space unchanged, except for a text
            of JSON, which stands for the value in it.
        place: The field, for errors.
    """
    annotation = strip(annotation)
    if annotation is Any and not isinstance(space, JsonText):
        return IDENTITY
    return _by_space(space, annotation, place)


@_by_space.register
def _discrete(space: spaces.Discrete, annotation: Any, place: str) -> Converter:
    start = int(space.start)
    if typing.get_origin(annotation) is typing.Literal:
        return table(typing.get_args(annotation), start, place)
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return table(tuple(annotation), start, place)
    if annotation is bool:
        return Converter(int, bool)
    return Converter(identity, int)


def _array(space: Space[Any], annotation: Any, place: str) -> Converter:
    """Return the converter between an array, list or number and an array of the Space."""
    dtype, shape = np.dtype(space.dtype), space.shape
    single = shape == (1,) and annotation in (float, int)

    def to_space(value: Any) -> Any:
        if type(value) is np.ndarray and value.dtype == dtype and value.shape == shape:
            return value
        try:
            array = np.asarray([value] if single else value, dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise SpaceError(
                f"{place} does not fit its Space {space}: {error}.", field=place
            ) from error
        if array.shape != shape:
            raise SpaceError(
                f"{place} has the shape {array.shape}, but its Space has {shape}.",
                field=place,
                shape=array.shape,
            )
        return array

    if single:
        return Converter(to_space, one_number)
    if typing.get_origin(annotation) in (list, tuple) or annotation in (list, tuple, float, int):
        # MultiDiscrete and MultiBinary contain lists too.
        return Converter(to_space, lambda value: np.asarray(value).tolist())
    return Converter(to_space, identity)


_by_space.register(spaces.Box, _array)
_by_space.register(spaces.MultiBinary, _array)
_by_space.register(spaces.MultiDiscrete, _array)


def _text(space: Space[str], annotation: Any, place: str) -> Converter:
    def to_space(value: Any) -> Any:
        if space.contains(value):
            return value
        raise SpaceError(
            f"{place} does not fit its Space {space}: {str(value)[:60]!r}"
            f"{f' of {len(value)} characters' if isinstance(value, str) else ''}.",
            field=place,
        )

    return Converter(to_space, identity)


_by_space.register(Utf8, _text)
_by_space.register(spaces.Text, _text)


@_by_space.register
def _json_text(space: JsonText, annotation: Any, place: str) -> Converter:
    def to_space(value: Any) -> str:
        text = json_text.dump(_JSON.dump_python(value, mode="json"))
        if space.contains(text):
            return text
        raise SpaceError(f"{place} does not fit its Space {space}: {text[:60]}.", field=place)

    return Converter(to_space, json_text.load)


@_by_space.register
def _dict(space: spaces.Dict, annotation: Any, place: str) -> Converter:
    arguments = typing.get_args(annotation)
    inner = arguments[1] if len(arguments) == 2 else Any
    named: dict[str, Any] = {}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        named = {name: field.annotation for name, field in annotation.model_fields.items()}
    parts = {
        key: converter(sub, named.get(key, inner), f"{place}[{key!r}]")
        for key, sub in space.spaces.items()
    }

    def to_space(value: Any) -> Any:
        if isinstance(value, BaseModel):
            value = {name: getattr(value, name) for name in type(value).model_fields}
        if value.keys() != parts.keys():
            raise SpaceError(
                f"{place} has the keys {list(value)}, but its Space has {list(parts)}.", field=place
            )
        return {key: part.to_space(value[key]) for key, part in parts.items()}

    def from_space(value: Any) -> Any:
        return {key: part.from_space(value[key]) for key, part in parts.items()}

    return Converter(to_space, from_space)


@_by_space.register(spaces.Tuple)
def _tuple(space: spaces.Tuple[Any], annotation: Any, place: str) -> Converter:
    kinds = item_types(annotation, len(space.spaces))
    return items(
        [
            converter(sub, kind, f"{place}[{i}]")
            for i, (sub, kind) in enumerate(zip(space.spaces, kinds, strict=True))
        ],
        list if typing.get_origin(annotation) is list else tuple,
        place,
    )


def items(parts: list[Converter], container: type, place: str) -> Converter:
    """Return the converter between a list or tuple of fixed length and a tuple."""

    def to_space(value: Any) -> Any:
        if len(value) != len(parts):
            raise SpaceError(
                f"{place} has {len(value)} items, but its Space has {len(parts)}.", field=place
            )
        return tuple(part.to_space(item) for part, item in zip(parts, value, strict=True))

    def from_space(value: Any) -> Any:
        return container(part.from_space(item) for part, item in zip(parts, value, strict=True))

    return Converter(to_space, from_space)


@_by_space.register
def _sequence(space: spaces.Sequence, annotation: Any, place: str) -> Converter:
    part = converter(space.feature_space, item_types(annotation, 1)[0], f"{place}[]")
    return IDENTITY if space.stack else sequence(part, annotation)


@_by_space.register
def _numbers(space: Numbers, annotation: Any, place: str) -> Converter:
    dtype = np.dtype(space.feature_space.dtype)

    def to_space(value: Any) -> Any:
        try:
            array = np.asarray(value, dtype)
        except (TypeError, ValueError, OverflowError) as error:
            raise SpaceError(
                f"{place} does not fit its Space {space}: {error}.", field=place
            ) from error
        if not space.contains(array):
            raise SpaceError(f"{place} does not fit its Space {space}: {value!r:.60}.", field=place)
        return array

    container = tuple if typing.get_origin(annotation) is tuple else list
    return Converter(to_space, lambda value: container(np.asarray(value).tolist()))


@_by_space.register(spaces.OneOf)
def _one_of(space: spaces.OneOf[Any], annotation: Any, place: str) -> Converter:
    """Return the converter of a union, with a Space for each type; None comes first."""
    if typing.get_origin(annotation) not in (typing.Union, types.UnionType):
        return IDENTITY
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    parts = list(space.spaces)
    if len(kinds) < len(typing.get_args(annotation)) and parts[0] == spaces.Discrete(1):
        if len(parts) == 2:
            inner: Any = typing.Union[tuple(kinds)]  # noqa: UP007
            return optional(converter(parts[1], inner, place))
        kinds.insert(0, types.NoneType)
    if len(kinds) != len(parts):
        return IDENTITY
    named = [f"{place}({number})" for number in range(len(parts))]
    found = [
        _NOTHING if kind is types.NoneType else converter(part, kind, at)
        for part, kind, at in zip(parts, kinds, named, strict=True)
    ]
    return _alternatives(parts, found, place)


def _alternatives(
    parts: Sequence[Space[Any]], converters: Sequence[Converter], place: str
) -> Converter:
    """Return the converter between a value of the first Space that takes it, and its number."""

    def to_space(value: Any) -> Any:
        for number, (part, convert) in enumerate(zip(parts, converters, strict=True)):
            try:
                found = convert.to_space(value)
                if part.contains(found):
                    return np.int64(number), np.int64(found) if type(found) is int else found
            except (SpaceError, TypeError, ValueError, AttributeError):
                continue
        raise SpaceError(f"{place} is in none of its Spaces: {value!r:.60}.", field=place)

    return Converter(to_space, lambda value: converters[int(value[0])].from_space(value[1]))


def _nothing_to_space(value: Any) -> int:
    if value is not None:
        raise SpaceError("It is not None.")
    return 0


_NOTHING = Converter(_nothing_to_space, lambda value: None)


def sequence(part: Converter, annotation: Any) -> Converter:
    """Return the converter between a list or tuple of any length and a tuple."""
    container = tuple if typing.get_origin(annotation) is tuple else list
    return Converter(
        lambda value: tuple(part.to_space(item) for item in value),
        lambda value: container(part.from_space(item) for item in value),
    )
