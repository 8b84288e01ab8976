"""The check of actions: like ``contains``, but less strict about float precision.

gymnasium's ``Box.contains`` refuses a float64 array for a float32 Box, which trainers often produce
and every environment of gymnasium accepts; and it warns about a list instead of refusing it.
:func:`admission` compiles the test once per session.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from functools import singledispatch
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from gymnasium.vector.utils import iterate

from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers


@singledispatch
def admission(space: Space[Any]) -> Callable[[Any], bool]:
    """Return a function that checks whether a value is an action of the Space."""
    return space.contains


def fits(space: Space[Any], action: Any) -> bool:
    """Return whether a value, however strange, is an action of the Space."""
    try:
        return admission(space)(action)
    except Exception:  # contains() of a strange value may raise anything
        return False


@admission.register
def _discrete(space: spaces.Discrete) -> Callable[[Any], bool]:
    start, end = int(space.start), int(space.start) + int(space.n)
    contains, index, int64 = space.contains, operator.index, np.int64

    def admits(value: Any) -> bool:
        # The actions of trainers and of sample() need only this, in a tenth of the time of
        # contains(). Comparing a numpy integer itself would take twice as long.
        kind = type(value)
        if kind is int64 or kind is int:
            return start <= index(value) < end
        return contains(value)

    return admits


@admission.register
def _box(space: spaces.Box) -> Callable[[Any], bool]:
    low: Any = space.low
    high: Any = space.high
    shape, dtype = space.shape, np.dtype(space.dtype)

    def admits(value: Any) -> bool:
        return (
            isinstance(value, np.ndarray | np.generic)
            and value.shape == shape
            and np.can_cast(value.dtype, dtype, "same_kind")
            and bool((value >= low).all() and (value <= high).all())
        )

    return admits


@admission.register
def _dict(space: spaces.Dict) -> Callable[[Any], bool]:
    parts = {key: admission(sub) for key, sub in space.spaces.items()}

    def admits(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and value.keys() == parts.keys()
            and all(part(value[key]) for key, part in parts.items())
        )

    return admits


@admission.register(spaces.Tuple)
def _tuple(space: spaces.Tuple[Any]) -> Callable[[Any], bool]:
    parts = [admission(sub) for sub in space.spaces]

    def admits(value: Any) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) == len(parts)
            and all(part(item) for part, item in zip(parts, value, strict=True))
        )

    return admits


@admission.register
def _sequence(space: spaces.Sequence) -> Callable[[Any], bool]:
    part = admission(space.feature_space)
    if space.stack:
        stacked = space.stacked_feature_space
        # The items of stacked numbers are scalars, about which contains() warns.
        return lambda value: type(value) is not list and all(map(part, iterate(stacked, value)))
    return lambda value: isinstance(value, tuple) and all(map(part, value))


@admission.register
def _non_empty(space: NonEmpty) -> Callable[[Any], bool]:
    admits = _sequence(space)
    return lambda value: admits(value) and not space.is_empty(value)


@admission.register
def _numbers(space: Numbers) -> Callable[[Any], bool]:
    dtype = np.dtype(space.feature_space.dtype)

    def admits(value: Any) -> bool:
        return (
            isinstance(value, np.ndarray)
            and np.can_cast(value.dtype, dtype, "same_kind")
            and space.contains(value.astype(dtype, copy=False))
        )

    return admits


@admission.register(spaces.OneOf)
def _one_of(space: spaces.OneOf[Any]) -> Callable[[Any], bool]:
    parts = [admission(sub) for sub in space.spaces]

    def admits(value: Any) -> bool:
        return (
            isinstance(value, tuple)
            and len(value) == 2
            and isinstance(value[0], int | np.integer)
            and bool(0 <= value[0] < len(parts))
            and parts[int(value[0])](value[1])
        )

    return admits


def misfit(space: Space[Any], value: Any) -> str:
    """Return the first part of a value that keeps it out of the Space; empty where it is whole.

    Args:
        space: The Space, of which the value is not.
        value: The value.
    """
    if isinstance(space, spaces.Dict) and isinstance(value, Mapping):
        if value.keys() != space.keys():
            missing, unknown = (
                sorted(map(repr, keys))
                for keys in (space.keys() - value.keys(), value.keys() - space.keys())
            )
            return "; ".join(
                f"{what} {', '.join(keys)}"
                for what, keys in (("it lacks", missing), ("it must not have", unknown))
                if keys
            )
        parts: Iterable[tuple[Any, Space[Any], Any]] = (
            (key, sub, value[key]) for key, sub in space.items()
        )
    elif isinstance(space, spaces.Tuple) and isinstance(value, tuple):
        if len(value) != len(space):
            return f"it has {len(value)} parts, not {len(space)}"
        parts = ((i, sub, value[i]) for i, sub in enumerate(space))
    elif isinstance(space, spaces.OneOf) and isinstance(value, tuple) and len(value) == 2:
        chosen = value[0]
        if not isinstance(chosen, int | np.integer) or not 0 <= chosen < len(space.spaces):
            return f"its first part is a choice from 0 to {len(space.spaces) - 1}"
        parts = ((1, space.spaces[int(chosen)], value[1]),)
    else:
        return ""
    for key, sub, part in parts:
        if not admission(sub)(part):
            hint = "; json.dumps() makes one" if isinstance(sub, JsonText) else ""
            return misfit(sub, part) or (
                f"its {key!r} is {part!r:.100}, which is not in {sub!r:.100}{hint}"
            )
    return ""


def batch_admission(space: Space[Any]) -> Callable[[Any], bool]:
    """Return a fast function that checks whether a whole batch are actions of the Space.

    If it returns False, check each action: the fast way does not recognize all valid values.
    """
    if not isinstance(space, spaces.Discrete):
        return lambda batch: False
    start, end = int(space.start), int(space.start) + int(space.n)

    def admits(batch: Any) -> bool:
        return (
            type(batch) is np.ndarray
            and batch.dtype == np.int64
            and batch.ndim == 1
            and bool(((batch >= start) & (batch < end)).all())
        )

    return admits
