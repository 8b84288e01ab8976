"""Spaces as JSON and back, for clients of remote environments.

:func:`describe` returns a dict for JSON, :func:`parse` an equal Space. A bound is a number if all
bounds are equal, else a nested list; infinity is the text ``"inf"`` or ``"-inf"``. A description
that is written by hand may leave out values with a default::

    {"type": "Box", "low": -1, "high": 1, "shape": [3]}
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import singledispatch
from typing import Any, cast

import numpy as np
from gymnasium.spaces import (
    Box,
    Dict,
    Discrete,
    Graph,
    MultiBinary,
    MultiDiscrete,
    OneOf,
    Sequence,
    Space,
    Text,
    Tuple,
)

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.description_size import check_size
from openenv_gym.spaces.json_text import LONGEST, JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.older_gymnasium import discrete
from openenv_gym.spaces.pattern_text import PatternText
from openenv_gym.spaces.stand_ins import own_space
from openenv_gym.spaces.utf8 import Utf8

_MANY = 1 << 20  # bounds that are compared at once: all of a large Box would take its memory again

_ADVICE = (
    "Use Box, Discrete, MultiDiscrete, MultiBinary, Text, Utf8, PatternText, JsonText, Dict, "
    "Tuple, Sequence, NonEmpty, Numbers, OneOf or Graph."
)


def describe(space: Space[Any]) -> dict[str, Any]:
    """Return the description of a Space, a dict for JSON.

    Raises:
        SpaceError: The Space is of another make, and none was registered in its place.
    """
    return _describe(own_space(space))


@singledispatch
def _describe(space: Space[Any]) -> dict[str, Any]:
    raise TypeError(f"{type(space)} has no description")  # own_space() lets none of these through


def described(given: Any) -> Any:
    """Return the description of a Space that a user gives, or of each Space in a dict by field."""
    if isinstance(given, Space):
        return describe(given)
    if isinstance(given, dict) and any(isinstance(one, Space) for one in given.values()):
        return {name: described(one) for name, one in given.items()}
    return given


def _number(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return str(plain)
    return plain


def _bound(array: np.ndarray[Any, Any]) -> Any:
    """Return a bound as one number if all are equal, else as nested lists."""
    if not array.size:
        return 0
    first, flat = array.flat[0], array.reshape(-1)
    parts = (flat[start : start + _MANY] for start in range(0, flat.size, _MANY))
    if all(bool(np.all(part == first)) for part in parts):
        return _number(first)
    return _numbers(array)


def _numbers(array: Any) -> Any:
    return [_numbers(row) for row in array] if array.ndim else _number(array[()])


@_describe.register
def _describe_box(space: Box) -> dict[str, Any]:
    # An integer Box that was made with inf has the dtype's limit as its bound, and remembers that
    # it was inf, which decides how it samples.
    low, high = space.low, space.high
    if not np.all(space.bounded_below):
        low = np.where(space.bounded_below, low, -np.inf)
    if not np.all(space.bounded_above):
        high = np.where(space.bounded_above, high, np.inf)
    dtype = np.dtype(space.dtype)
    return {
        "type": "Box",
        "low": _bound(low),
        "high": _bound(high),
        "shape": list(space.shape),
        "dtype": dtype.name if dtype.isnative else dtype.str,
    }


@_describe.register
def _describe_discrete(space: Discrete) -> dict[str, Any]:
    return {
        "type": "Discrete",
        "n": int(space.n),
        "start": int(space.start),
        "dtype": np.dtype(space.dtype).name,
    }


@_describe.register
def _describe_multi_discrete(space: MultiDiscrete) -> dict[str, Any]:
    return {
        "type": "MultiDiscrete",
        "nvec": space.nvec.tolist(),
        "start": space.start.tolist(),
        "dtype": np.dtype(space.dtype).name,
    }


@_describe.register
def _describe_multi_binary(space: MultiBinary) -> dict[str, Any]:
    return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.n)}


@_describe.register
def _describe_text(space: Text) -> dict[str, Any]:
    return {
        "type": "Text",
        "max_length": space.max_length,
        "min_length": space.min_length,
        "charset": "".join(space.character_list),
    }


@_describe.register
def _describe_utf8(space: Utf8) -> dict[str, Any]:
    return {"type": "Utf8", "max_length": space.max_length, "min_length": space.min_length}


@_describe.register
def _describe_pattern_text(space: PatternText) -> dict[str, Any]:
    return {
        "type": "PatternText",
        "pattern": space.pattern,
        "max_length": space.max_length,
        "min_length": space.min_length,
        "only_samples": space.only_samples,
    }


@_describe.register
def _describe_json_text(space: JsonText) -> dict[str, Any]:
    return {"type": "JsonText", "schema": space.schema, "max_length": space.max_length}


@_describe.register
def _describe_dict(space: Dict) -> dict[str, Any]:
    # A list of pairs keeps the order, which decides how the Space flattens and samples.
    return {"type": "Dict", "spaces": [[key, describe(sub)] for key, sub in space.spaces.items()]}


@_describe.register(Tuple)
def _describe_tuple(space: Tuple[Any]) -> dict[str, Any]:
    return {"type": "Tuple", "spaces": [describe(sub) for sub in space.spaces]}


@_describe.register
def _describe_sequence(space: Sequence) -> dict[str, Any]:
    kind = "NonEmpty" if isinstance(space, NonEmpty) else "Sequence"
    return {"type": kind, "space": describe(space.feature_space), "stack": space.stack}


@_describe.register
def _describe_numbers(space: Numbers) -> dict[str, Any]:
    return {
        "type": "Numbers",
        "item": describe(space.feature_space),
        "min_length": space.min_length,
        "max_length": space.max_length,
    }


@_describe.register(OneOf)
def _describe_one_of(space: OneOf[Any]) -> dict[str, Any]:
    return {"type": "OneOf", "spaces": [describe(sub) for sub in space.spaces]}


@_describe.register
def _describe_graph(space: Graph) -> dict[str, Any]:
    edges = None if space.edge_space is None else describe(space.edge_space)
    return {"type": "Graph", "node_space": describe(space.node_space), "edge_space": edges}


def _array(bound: Any, dtype: Any) -> Any:
    """Return a bound for Box: a number, or an array with the precision of its dtype."""
    if isinstance(bound, list):
        numbers = np.array(_unquote(bound))
        integral = np.dtype(dtype).kind != "f"
        return numbers if integral and np.isinf(numbers).any() else numbers.astype(dtype)
    if isinstance(bound, str):
        return float(bound)
    return int(bound) if isinstance(bound, bool) else bound


def _unquote(bound: Any) -> Any:
    if isinstance(bound, list):
        return [_unquote(item) for item in bound]
    return float(bound) if isinstance(bound, str) else bound


def _parse_box(data: dict[str, Any]) -> Box:
    dtype = np.dtype(data.get("dtype", "float32"))
    low, high = _array(data["low"], dtype), _array(data["high"], dtype)
    shape = data.get("shape")
    # The type of a dtype that is not native lacks its byte order.
    kind: Any = dtype.type if dtype.isnative else dtype
    return Box(low, high, None if shape is None else tuple(shape), kind)


def _parse_dict(data: dict[str, Any]) -> Dict:
    pairs = data["spaces"]
    items = pairs.items() if isinstance(pairs, dict) else pairs
    # Pairs are used, since gymnasium would sort a plain dict by key.
    return Dict([(key, _parse(sub)) for key, sub in items])


def _parse_graph(data: dict[str, Any]) -> Graph:
    edges = data.get("edge_space")
    nodes: Any = _parse(data["node_space"])
    return Graph(nodes, None if edges is None else cast("Any", _parse(edges)))


_PARSERS: dict[str, Callable[[dict[str, Any]], Space[Any]]] = {
    "Box": _parse_box,
    "Discrete": lambda data: discrete(data["n"], data.get("start", 0), data.get("dtype", "int64")),
    "MultiDiscrete": lambda data: MultiDiscrete(
        np.array(data["nvec"]),
        dtype=np.dtype(data.get("dtype", "int64")).type,
        start=np.array(data.get("start", np.zeros_like(data["nvec"]))),
    ),
    "MultiBinary": lambda data: MultiBinary(data["n"]),
    "Text": lambda data: Text(
        data["max_length"], min_length=data.get("min_length", 1), charset=data["charset"]
    ),
    "Utf8": lambda data: Utf8(data["max_length"], min_length=data.get("min_length", 0)),
    "PatternText": lambda data: PatternText(
        data["pattern"],
        data.get("max_length", LONGEST),
        min_length=data.get("min_length", 0),
        only_samples=data.get("only_samples", False),
    ),
    "JsonText": lambda data: JsonText(
        data.get("schema"), max_length=data.get("max_length", LONGEST)
    ),
    "Dict": _parse_dict,
    "Tuple": lambda data: Tuple([_parse(sub) for sub in data["spaces"]]),
    "Sequence": lambda data: Sequence(_parse(data["space"]), stack=data.get("stack", False)),
    "NonEmpty": lambda data: NonEmpty(_parse(data["space"]), stack=data.get("stack", False)),
    "Numbers": lambda data: Numbers(
        cast("Box", _parse(data["item"])),
        min_length=data.get("min_length", 0),
        max_length=data.get("max_length"),
    ),
    "OneOf": lambda data: OneOf([_parse(sub) for sub in data["spaces"]]),
    "Graph": _parse_graph,
}


def parse(data: dict[str, Any]) -> Space[Any]:
    """Return the Space of a description.

    Args:
        data: The result of :func:`describe`, or a dict written by hand.

    Raises:
        SpaceError: The dict does not describe a valid Space.
    """
    check_size(data)
    return _parse(data)


def _parse(data: dict[str, Any]) -> Space[Any]:
    try:
        return _PARSERS[data["type"]](data)
    except SpaceError:
        raise
    # gymnasium's constructors use assert, and raise numpy's errors.
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        AssertionError,
        AttributeError,
        MemoryError,
    ) as error:
        raise SpaceError(
            f"{data!r} does not describe a Space: {type(error).__name__}: {error}. {_ADVICE}",
            description=data,
        ) from error
