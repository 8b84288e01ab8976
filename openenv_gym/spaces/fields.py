"""Fields of models to Spaces: the Space of one field, and its converter.

The Space is, in this order: the given one; the one in the field's ``Annotated``; the one of its
type. A type without bounds has no Space, and the error shows the line to write.
"""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import annotated_types
import numpy as np
from annotated_types import MinLen
from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import AliasChoices, BaseModel
from pydantic.fields import FieldInfo

from openenv_gym.errors import SpaceError
from openenv_gym.models import Choice
from openenv_gym.spaces import convert
from openenv_gym.spaces.convert import Converter
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.utf8 import Utf8


class Spaced(NamedTuple):
    """A Space, and the converter between field values and its values."""

    space: Space[Any]
    converter: Converter


def spaced_field(
    model: type[BaseModel], name: str, field: FieldInfo, override: Space[Any] | Spaced | None = None
) -> Spaced:
    """Return the Space of a field of a model.

    Args:
        model: The model.
        name: Name of the field.
        field: The field.
        override: The Space of the field in this instance, with its converter or without; or None.

    Raises:
        SpaceError: The field lacks the bounds of a Space.
    """
    if isinstance(override, Spaced):
        return override
    try:
        return _field(model, name, field, override)
    except RecursionError as error:
        raise SpaceError(
            f"{model.__name__}.{name} has a model that is nested in itself, which has no Space. "
            "Put its values into fields of one model.",
            field=f"{model.__name__}.{name}",
        ) from error
    # gymnasium's constructors raise these if there are no values, or more than the dtype has.
    except (ValueError, TypeError, OverflowError, AssertionError) as error:
        raise SpaceError(
            f"{model.__name__}.{name} has no Space: {error}", field=f"{model.__name__}.{name}"
        ) from error


def _field(
    model: type[BaseModel], name: str, field: FieldInfo, override: Space[Any] | None
) -> Spaced:
    place = f"{model.__name__}.{name}"
    if override is not None:
        return _declared(override, field.annotation, field.metadata, place)
    return _spaced(field.annotation, field.metadata, place)


def _declared(space: Space[Any], annotation: Any, metadata: list[Any], place: str) -> Spaced:
    """Return a given Space, with the converter for the field's type."""
    if isinstance(space, spaces.Sequence):
        shortest = [mark.min_length for mark in _flat(metadata) if isinstance(mark, MinLen)]
        space = _of_length(space, max(shortest, default=0), place)
    choice = next((mark for mark in metadata if isinstance(mark, Choice)), None)
    if choice is not None and isinstance(space, spaces.Discrete):
        return Spaced(space, convert.table(choice.values, int(space.start), place))
    return Spaced(space, convert.converter(space, annotation, place))


def _spaced(annotation: Any, metadata: list[Any], place: str) -> Spaced:
    """Return a field's Space from ``Annotated``, or from its type."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *more = typing.get_args(annotation)
        metadata = [*metadata, *more]
    for mark in metadata:
        if isinstance(mark, Space):
            return _declared(mark, annotation, metadata, place)
        if isinstance(mark, Choice):
            return _declared(spaces.Discrete(len(mark.values)), annotation, metadata, place)
    return _from_type(annotation, metadata, place)


_UNKEPT = ("multiple_of", "pattern", "to_upper", "to_lower", "strip_whitespace")


def _constraints(metadata: list[Any], place: str) -> dict[str, Any]:
    """Return the limits of a field's constraints, by pydantic's names.

    Raises:
        SpaceError: Samples of a Space cannot satisfy a constraint.
    """
    limits: dict[str, Any] = {}
    for mark in _flat(metadata):
        names = getattr(mark, "__dataclass_fields__", None) or vars(mark)
        limits.update({name: getattr(mark, name) for name in names})
    for name in _UNKEPT:
        if limits.get(name):
            raise SpaceError(
                f"{place} has the constraint {name}, which samples of a Space do not satisfy. "
                "List the values in a Literal or a Choice, or give a Space in Annotated.",
                field=place,
            )
    return limits


def _flat(metadata: Iterable[Any]) -> Iterator[annotated_types.BaseMetadata]:
    """Yield the constraints, including those inside ``Field(...)`` or ``Interval(...)``."""
    for mark in metadata:
        if isinstance(mark, FieldInfo):
            yield from _flat(mark.metadata)
        elif isinstance(mark, annotated_types.GroupedMetadata):
            yield from _flat(mark)
        elif isinstance(mark, annotated_types.BaseMetadata):
            yield mark


def _from_type(annotation: Any, metadata: list[Any], place: str) -> Spaced:
    origin = typing.get_origin(annotation)
    if origin in (typing.Union, types.UnionType):
        return _from_union(annotation, metadata, place)
    if origin is typing.Literal:
        return _plain(spaces.Discrete(len(typing.get_args(annotation))), annotation, place)
    if origin in (list, tuple):
        return _from_items(annotation, _constraints(metadata, place), place)
    if isinstance(annotation, type):
        if issubclass(annotation, BaseModel):
            return _from_model(annotation)
        if issubclass(annotation, enum.Enum):
            return _plain(spaces.Discrete(len(annotation)), annotation, place)
        space = _scalar_space(annotation, _constraints(metadata, place))
        if space is not None:
            return _plain(space, annotation, place)
    raise SpaceError(
        f"{place} is a {annotation!r} without bounds, which has no Space. Write\n"
        f"    {place.rpartition('.')[2]}: Annotated[{_name(annotation)}, {_advice(annotation)}]\n"
        "or Annotated[..., Info()] if it belongs in info.",
        field=place,
        advice=_advice(annotation),
    )


def _plain(space: Space[Any], annotation: Any, place: str) -> Spaced:
    return Spaced(space, convert.converter(space, annotation, place))


def _scalar_space(kind: type, limits: dict[str, Any]) -> Space[Any] | None:
    if kind is bool:
        return spaces.Discrete(2)
    if kind is str and limits.get("max_length") is not None:
        return Utf8(limits["max_length"], min_length=limits.get("min_length") or 0)
    low, high = limits.get("ge"), limits.get("le")
    if kind is int:
        low = limits["gt"] + 1 if "gt" in limits else low
        high = limits["lt"] - 1 if "lt" in limits else high
        if low is not None and high is not None:
            return spaces.Discrete(int(high) - int(low) + 1, start=int(low))
    elif kind is float:
        low = np.nextafter(limits["gt"], np.inf) if "gt" in limits else low
        high = np.nextafter(limits["lt"], -np.inf) if "lt" in limits else high
        if low is not None and high is not None:
            # Not the shape (), for which trainers make networks without an input.
            return spaces.Box(low, high, (1,), np.float64)
    return None


def _from_union(annotation: Any, metadata: list[Any], place: str) -> Spaced:
    kinds = [kind for kind in typing.get_args(annotation) if kind is not types.NoneType]
    if len(kinds) == 1:
        inner = _spaced(kinds[0], metadata, place)
    else:
        inner = _from_models([convert.strip(kind) for kind in kinds], place)
    if len(kinds) == len(typing.get_args(annotation)):
        return inner
    return Spaced(
        spaces.OneOf([spaces.Discrete(1), inner.space]), convert.optional(inner.converter)
    )


def _from_models(models: list[Any], place: str) -> Spaced:
    """Return the Space of a union of models: OneOf their Dicts, in the order of the union."""
    if not all(isinstance(model, type) and issubclass(model, BaseModel) for model in models):
        raise SpaceError(
            f"{place} is a union of types, which has no Space. Give it one type, a Literal, "
            "models, or a Space in Annotated.",
            field=place,
        )
    # Models that are actions by themselves have these fields.
    parts = [_from_model(model, frozenset({"metadata"})) for model in models]
    return Spaced(
        spaces.OneOf([part.space for part in parts]),
        convert.variants(models, [part.converter for part in parts], place),
    )


def _from_items(annotation: Any, limits: dict[str, Any], place: str) -> Spaced:
    arguments = typing.get_args(annotation)
    if typing.get_origin(annotation) is tuple and Ellipsis not in arguments:
        parts = [_spaced(kind, [], f"{place}[{i}]") for i, kind in enumerate(arguments)]
        return Spaced(
            spaces.Tuple([part.space for part in parts]),
            convert.items([part.converter for part in parts], tuple, place),
        )
    item = _spaced(arguments[0] if arguments else Any, [], f"{place}[]")
    shortest, length = limits.get("min_length") or 0, limits.get("max_length")
    if length is None:
        space = _of_length(spaces.Sequence(item.space), shortest, place)
        return Spaced(space, convert.sequence(item.converter, annotation))
    if length != shortest:
        raise _bounded_length(place)
    return _fixed_list(item, length, annotation, place)


def _of_length(space: spaces.Sequence, shortest: int, place: str) -> spaces.Sequence:
    """Return the Space of the sequences with a least number of items."""
    if shortest > 1:
        raise _bounded_length(place)
    return NonEmpty(space.feature_space, stack=space.stack) if shortest else space


def _bounded_length(place: str) -> SpaceError:
    return SpaceError(
        f"{place} is a list with bounds of its length, which Spaces do not support. Give only "
        "min_length=1, or the same value for min_length and max_length.",
        field=place,
    )


def _fixed_list(item: Spaced, length: int, annotation: Any, place: str) -> Spaced:
    """Return the Space of a list of fixed length: an array for numbers, else a Tuple."""
    space = item.space
    if isinstance(space, spaces.Discrete) and item.converter.from_space is bool:
        return _plain(spaces.MultiBinary(length), annotation, place)
    if isinstance(space, spaces.Discrete) and item.converter.from_space is int:
        start = np.full(length, space.start)
        return _plain(spaces.MultiDiscrete([int(space.n)] * length, start=start), annotation, place)
    if isinstance(space, spaces.Box) and space.dtype is not None:
        join = np.concatenate if item.converter.from_space is convert.one_number else np.stack
        low, high = join([space.low] * length), join([space.high] * length)
        return _plain(spaces.Box(low, high, dtype=space.dtype.type), annotation, place)
    return Spaced(
        spaces.Tuple([space] * length),
        convert.items([item.converter] * length, list, place),
    )


def _from_model(model: type[BaseModel], beside: frozenset[str] = frozenset()) -> Spaced:
    """Return the Space of a nested model: a Dict of its fields, without those of ``beside``."""
    fields: dict[str, Spaced] = {}
    errors: list[SpaceError] = []
    for name, field in model.model_fields.items():
        if name not in beside:
            try:
                fields[name] = _field(model, name, field, None)
            except SpaceError as error:
                errors.append(error)
    if len(errors) > 1:
        raise SpaceError("\n".join(map(str, errors)), **errors[0].fields) from errors[0]
    if errors:
        raise errors[0]
    space = spaces.Dict([(name, part.space) for name, part in fields.items()])
    return Spaced(space, fields_converter(fields, input_keys(model)))


def input_keys(model: type[BaseModel]) -> dict[str, str]:
    """Return the keys under which a model takes its fields, by name: their aliases, if any."""
    by_name = any(map(model.model_config.get, ("populate_by_name", "validate_by_name")))
    return {
        name: name if by_name else _alias(field) or name
        for name, field in model.model_fields.items()
    }


def _alias(field: FieldInfo) -> str | None:
    alias = field.validation_alias
    choices = alias.choices if isinstance(alias, AliasChoices) else [alias]
    return next((choice for choice in choices if isinstance(choice, str)), None)


def fields_converter(fields: dict[str, Spaced], keys: Mapping[str, str]) -> Converter:
    """Return the converter between a model, or its fields by key, and a value of their Dict."""
    parts = [(name, keys[name], part.converter) for name, part in fields.items()]
    return Converter(
        lambda model: {name: part.to_space(getattr(model, name)) for name, _, part in parts},
        lambda value: {key: part.from_space(value[name]) for name, key, part in parts},
    )


def _name(annotation: Any) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _advice(annotation: Any) -> str:
    return {int: "Discrete(n)", float: "Box(low, high, (1,))", str: "Field(max_length=...)"}.get(
        annotation, "Box(low, high, shape)"
    )
