"""Spaces to JSON schemas of the values that :mod:`openenv_gym.spaces.json.values` writes."""

from __future__ import annotations

from functools import singledispatch
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.pattern_text import PatternText
from openenv_gym.spaces.utf8 import Utf8

JsonSchema = dict[str, Any]


@singledispatch
def json_schema(space: Space[Any]) -> JsonSchema:
    """Return the JSON schema of the values of a Space.

    For an array it has the bounds that hold for all numbers.

    Raises:
        SpaceError: Values of the Space have no form in JSON.
    """
    raise SpaceError(f"Values of {space} have no form in JSON.", space=repr(space))


def _array(space: Space[Any], low: Any, high: Any) -> JsonSchema:
    dtype = np.dtype(space.dtype)
    schema: JsonSchema = {"type": {"b": "boolean", "f": "number"}.get(dtype.kind, "integer")}
    if dtype.kind != "b" and np.size(low):
        bounds = {"minimum": np.min(low), "maximum": np.max(high)}
        schema |= {name: bound.item() for name, bound in bounds.items() if np.isfinite(bound)}
    for side in reversed(space.shape or ()):
        schema = {"type": "array", "items": schema, "minItems": side, "maxItems": side}
    return schema


@json_schema.register
def _box(space: spaces.Box) -> JsonSchema:
    return _array(space, space.low, space.high)


@json_schema.register
def _multi_discrete(space: spaces.MultiDiscrete) -> JsonSchema:
    return _array(space, space.start, space.start + space.nvec - 1)


@json_schema.register
def _multi_binary(space: spaces.MultiBinary) -> JsonSchema:
    return _array(space, np.zeros(space.shape, np.int8), np.ones(space.shape, np.int8))


@json_schema.register
def _discrete(space: spaces.Discrete) -> JsonSchema:
    start = int(space.start)
    return {"type": "integer", "minimum": start, "maximum": start + int(space.n) - 1}


@json_schema.register
def _utf8(space: Utf8) -> JsonSchema:
    return {"type": "string", "minLength": space.min_length, "maxLength": space.max_length}


@json_schema.register
def _pattern_text(space: PatternText) -> JsonSchema:
    return _utf8(space) if space.only_samples else {**_utf8(space), "pattern": space.pattern}


@json_schema.register
def _json_text(space: JsonText) -> JsonSchema:
    return dict(space.schema)


@json_schema.register
def _text(space: spaces.Text) -> JsonSchema:
    allowed = "".join(f"\\{sign}" if sign in r"\]^-" else sign for sign in space.character_list)
    return {
        "type": "string",
        "minLength": space.min_length,
        "maxLength": space.max_length,
        "pattern": f"^[{allowed}]*$",
    }


@json_schema.register
def _dict(space: spaces.Dict) -> JsonSchema:
    return {
        "type": "object",
        "properties": {key: json_schema(sub) for key, sub in space.spaces.items()},
        "required": list(space.spaces),
        "additionalProperties": False,
    }


@json_schema.register(spaces.Tuple)
def _tuple(space: spaces.Tuple[Any]) -> JsonSchema:
    length = len(space.spaces)
    parts = [json_schema(sub) for sub in space.spaces]
    return {"type": "array", "prefixItems": parts, "minItems": length, "maxItems": length}


@json_schema.register
def _sequence(space: spaces.Sequence) -> JsonSchema:
    return {"type": "array", "items": json_schema(space.feature_space)}


@json_schema.register
def _numbers(space: Numbers) -> JsonSchema:
    schema = {**_sequence(space), "minItems": space.min_length}
    return schema if space.max_length is None else {**schema, "maxItems": space.max_length}


@json_schema.register
def _non_empty(space: NonEmpty) -> JsonSchema:
    return {**_sequence(space), "minItems": 1}


@json_schema.register(spaces.OneOf)
def _one_of(space: spaces.OneOf[Any]) -> JsonSchema:
    parts = list(space.spaces)
    if len(parts) == 2 and parts[0] == spaces.Discrete(1):
        return {"anyOf": [{"type": "null"}, json_schema(parts[1])]}
    return {"anyOf": [json_schema(sub) for sub in parts]}
