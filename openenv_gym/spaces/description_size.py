"""How large a described Space is, before it is made: a description may come from a stranger."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from openenv_gym.errors import SpaceError

MAX_BYTES = 1 << 28
"""Bytes of all values of a Space together; the Space itself takes some times as much."""

MAX_SPACES = 100_000
"""Spaces in a Space."""

MAX_DEPTH = 100
"""Levels of Spaces in Spaces."""

MAX_SHORTEST, MAX_LONGEST_TEXT = 1 << 20, 1 << 24
"""The longest that a text or a list must be; and that a text of gymnasium's may be."""


def check_size(described: Any) -> None:
    """Check that a Space can be made and sampled in reasonable time and memory.

    What is not a description is left to the parser, which says what is wrong.

    Raises:
        SpaceError: It cannot.
    """
    count, size = 0, 0
    level: list[Any] = [described]
    for _ in range(MAX_DEPTH):
        following: list[Any] = []
        for one in level:
            count += 1
            if count > MAX_SPACES:
                raise SpaceError(f"A Space of more than {MAX_SPACES} Spaces is too large.")
            if isinstance(one, dict):
                size += _bytes(one)
                _check_lengths(one)
                following += _parts(one)
        if size > MAX_BYTES:
            raise SpaceError(
                f"A Space whose values take {size} bytes is too large: {MAX_BYTES} are allowed."
            )
        level = following
        if not level:
            return
    raise SpaceError(f"A Space of more than {MAX_DEPTH} levels is too deep.")


def _parts(one: dict[str, Any]) -> Iterator[Any]:
    spaces = one.get("spaces")
    if isinstance(spaces, dict):
        yield from spaces.values()
    elif isinstance(spaces, list | tuple):
        pairs = one.get("type") == "Dict"
        for part in spaces:
            if pairs and isinstance(part, list | tuple) and len(part) == 2:
                yield part[1]
            else:
                yield part
    for name in ("space", "item", "node_space", "edge_space"):
        if one.get(name) is not None:
            yield one[name]


def _bytes(one: dict[str, Any]) -> int:
    """The bytes of one value of an array's Space; 0 of any other."""
    sides = one.get("shape") if one.get("type") == "Box" else one.get("n")
    if one.get("type") not in ("Box", "MultiBinary"):
        return 0
    try:
        shape = [int(side) for side in (sides if isinstance(sides, list | tuple) else [sides or 1])]
        item = np.dtype(one.get("dtype", "float32") if one["type"] == "Box" else "int8").itemsize
    except (TypeError, ValueError, OverflowError):
        return 0
    return math.prod(max(side, 0) for side in shape) * item


def _check_lengths(one: dict[str, Any]) -> None:
    shortest, longest = one.get("min_length"), one.get("max_length")
    if isinstance(shortest, int | float) and shortest > MAX_SHORTEST:
        raise SpaceError(f"A Space of values of at least {shortest} items is too large.")
    if (
        one.get("type") == "Text"
        and isinstance(longest, int | float)
        and longest > MAX_LONGEST_TEXT
    ):
        raise SpaceError(f"A Text of up to {longest} characters is too large: take Utf8.")
