"""Spaces as JSON, and back: what a client of a remote environment learns of its Spaces.

:func:`describe` gives a dict that JSON can hold, :func:`parse` the equal Space. A bound is a
number where all are equal, else a nested list; infinity is the text ``"inf"`` or ``"-inf"``.
Written by hand a description may leave out what has a default::

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
from openenv_gym.spaces.json_text import LONGEST, JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.older_gymnasium import discrete
from openenv_gym.spaces.utf8 import Utf8

_ADVICE = (
    "A Space that travels is one of Box, Discrete, MultiDiscrete, MultiBinary, Text, Utf8, "
    "JsonText, Dict, Tuple, Sequence, NonEmpty, Numbers, OneOf and Graph."
)


@singledispatch
def describe(space: Space[Any]) -> dict[str, Any]:
    """The Space as a dict that JSON can hold.

    Raises:
        SpaceError: It is of a kind that cannot be described.
    """
    raise SpaceError(
        f"A {type(space).__module__}.{type(space).__qualname__} cannot be described. {_ADVICE}",
        space=repr(space),
    )


def described(told: Any) -> Any:
    """What a user gives for a Space: its description, of the Space itself or in a dict by field."""
    if isinstance(told, Space):
        return describe(told)
    if isinstance(told, dict) and any(isinstance(one, Space) for one in told.values()):
        return {name: described(one) for name, one in told.items()}
    return told


def _number(value: Any) -> Any:
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, float) and not math.isfinite(plain):
        return str(plain)
    return plain


def _bound(array: np.ndarray[Any, Any]) -> Any:
    """A bound as one number, where all are equal, else as nested lists."""
    if not array.size:
        return 0
    if bool(np.all(array == array.flat[0])):
        return _number(array.flat[0])
    return _numbers(array)


def _numbers(array: Any) -> Any:
    return [_numbers(row) for row in array] if array.ndim else _number(array[()])


@describe.register
def _describe_box(space: Box) -> dict[str, Any]:
    # An integer Box made with inf keeps the dtype's end as its bound and remembers that it was inf,
    # which decides how it samples.
    low: Any = np.where(space.bounded_below, space.low, -np.inf)
    high: Any = np.where(space.bounded_above, space.high, np.inf)
    if np.all(space.bounded_below):
        low = space.low
    if np.all(space.bounded_above):
        high = space.high
    dtype = np.dtype(space.dtype)
    return {
        "type": "Box",
        "low": _bound(low),
        "high": _bound(high),
        "shape": list(space.shape),
        "dtype": dtype.name if dtype.isnative else dtype.str,
    }


@describe.register
def _describe_discrete(space: Discrete) -> dict[str, Any]:
    return {
        "type": "Discrete",
        "n": int(space.n),
        "start": int(space.start),
        "dtype": np.dtype(space.dtype).name,
    }


@describe.register
def _describe_multi_discrete(space: MultiDiscrete) -> dict[str, Any]:
    return {
        "type": "MultiDiscrete",
        "nvec": space.nvec.tolist(),
        "start": space.start.tolist(),
        "dtype": np.dtype(space.dtype).name,
    }


@describe.register
def _describe_multi_binary(space: MultiBinary) -> dict[str, Any]:
    return {"type": "MultiBinary", "n": space.n if isinstance(space.n, int) else list(space.n)}


@describe.register
def _describe_text(space: Text) -> dict[str, Any]:
    return {
        "type": "Text",
        "max_length": space.max_length,
        "min_length": space.min_length,
        "charset": "".join(space.character_list),
    }


@describe.register
def _describe_utf8(space: Utf8) -> dict[str, Any]:
    return {"type": "Utf8", "max_length": space.max_length, "min_length": space.min_length}


@describe.register
def _describe_json_text(space: JsonText) -> dict[str, Any]:
    return {"type": "JsonText", "schema": space.schema, "max_length": space.max_length}


@describe.register
def _describe_dict(space: Dict) -> dict[str, Any]:
    # A list of pairs keeps the order, which decides how the space flattens and samples.
    return {"type": "Dict", "spaces": [[key, describe(sub)] for key, sub in space.spaces.items()]}


@describe.register(Tuple)
def _describe_tuple(space: Tuple[Any]) -> dict[str, Any]:
    return {"type": "Tuple", "spaces": [describe(sub) for sub in space.spaces]}


@describe.register
def _describe_sequence(space: Sequence) -> dict[str, Any]:
    kind = "NonEmpty" if isinstance(space, NonEmpty) else "Sequence"
    return {"type": kind, "space": describe(space.feature_space), "stack": space.stack}


@describe.register
def _describe_numbers(space: Numbers) -> dict[str, Any]:
    return {
        "type": "Numbers",
        "item": describe(space.feature_space),
        "min_length": space.min_length,
        "max_length": space.max_length,
    }


@describe.register(OneOf)
def _describe_one_of(space: OneOf[Any]) -> dict[str, Any]:
    return {"type": "OneOf", "spaces": [describe(sub) for sub in space.spaces]}


@describe.register
def _describe_graph(space: Graph) -> dict[str, Any]:
    edges = None if space.edge_space is None else describe(space.edge_space)
    return {"type": "Graph", "node_space": describe(space.node_space), "edge_space": edges}


def _array(bound: Any, dtype: Any) -> Any:
    """A bound as Box takes it: a number, or an array that keeps the precision of its dtype."""
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


def _parse_box(told: dict[str, Any]) -> Box:
    dtype = np.dtype(told.get("dtype", "float32"))
    low, high = _array(told["low"], dtype), _array(told["high"], dtype)
    shape = told.get("shape")
    # A dtype that is not native is more than its type says.
    kind: Any = dtype.type if dtype.isnative else dtype
    return Box(low, high, None if shape is None else tuple(shape), kind)


def _parse_dict(told: dict[str, Any]) -> Dict:
    pairs = told["spaces"]
    items = pairs.items() if isinstance(pairs, dict) else pairs
    # As pairs: a plain dict would be sorted by key.
    return Dict([(key, parse(sub)) for key, sub in items])


def _parse_graph(told: dict[str, Any]) -> Graph:
    edges = told.get("edge_space")
    nodes: Any = parse(told["node_space"])
    return Graph(nodes, None if edges is None else cast("Any", parse(edges)))


_PARSERS: dict[str, Callable[[dict[str, Any]], Space[Any]]] = {
    "Box": _parse_box,
    "Discrete": lambda told: discrete(told["n"], told.get("start", 0), told.get("dtype", "int64")),
    "MultiDiscrete": lambda told: MultiDiscrete(
        np.array(told["nvec"]),
        dtype=np.dtype(told.get("dtype", "int64")).type,
        start=np.array(told.get("start", np.zeros_like(told["nvec"]))),
    ),
    "MultiBinary": lambda told: MultiBinary(told["n"]),
    "Text": lambda told: Text(
        told["max_length"], min_length=told.get("min_length", 1), charset=told["charset"]
    ),
    "Utf8": lambda told: Utf8(told["max_length"], min_length=told.get("min_length", 0)),
    "JsonText": lambda told: JsonText(
        told.get("schema"), max_length=told.get("max_length", LONGEST)
    ),
    "Dict": _parse_dict,
    "Tuple": lambda told: Tuple([parse(sub) for sub in told["spaces"]]),
    "Sequence": lambda told: Sequence(parse(told["space"]), stack=told.get("stack", False)),
    "NonEmpty": lambda told: NonEmpty(parse(told["space"]), stack=told.get("stack", False)),
    "Numbers": lambda told: Numbers(
        cast("Box", parse(told["item"])),
        min_length=told.get("min_length", 0),
        max_length=told.get("max_length"),
    ),
    "OneOf": lambda told: OneOf([parse(sub) for sub in told["spaces"]]),
    "Graph": _parse_graph,
}


def parse(told: dict[str, Any]) -> Space[Any]:
    """The Space that a description tells of.

    Args:
        told: As :func:`describe` gives it, or written by hand.

    Raises:
        SpaceError: It is no description of a Space.
    """
    try:
        return _PARSERS[told["type"]](told)
    except SpaceError:
        raise
    # gymnasium's constructors assert, and raise whatever numpy raises.
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
            f"{told!r} describes no Space: {type(error).__name__}: {error}. {_ADVICE}",
            description=told,
        ) from error
