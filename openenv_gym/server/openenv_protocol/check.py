"""Whether an action is in the action space, where its model says less than the Space.

To ``Annotated[int, Discrete(7)]`` any whole number will do, and to an ``Array`` any numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from pydantic import BaseModel

from openenv_gym.spaces.action_check import admission
from openenv_gym.spaces.derive import ModelSpace


def space_check(actions: ModelSpace) -> Callable[[Any], list[dict[str, Any]]]:
    """Return a function that reports which fields of an action are outside their Spaces."""
    parts = [
        (name, part.converter, admission(part.space), repr(part.space)[:200])
        for name, part in actions.fields.items()
    ]

    def check(model: Any) -> list[dict[str, Any]]:
        problems = []
        for name, converter, admits, shown in parts:
            given = getattr(model, name)
            try:
                with np.errstate(over="ignore"):  # too much is infinity, which was not given
                    value = converter.to_space(given)
                fits = admits(value) and _is_same(given, converter.from_space(value))
            except Exception:  # whatever a strange value makes numpy raise
                fits = False
            if not fits:
                message = f"Input should be in the Space {shown}"
                problems.append({"type": "not_in_space", "loc": (name,), "msg": message})
        return problems

    return check


def _is_same(given: Any, kept: Any) -> bool:
    """Nothing but precision of floats was lost on the way to the Space and back.

    300 is not a byte and 0.5 not a whole number, though numpy makes them one.
    """
    given, kept = _parts_of(given), _parts_of(kept)
    if isinstance(kept, dict):
        return given.keys() == kept.keys() and all(_is_same(given[key], kept[key]) for key in kept)
    if isinstance(kept, list):
        return len(given) == len(kept) and all(map(_is_same, given, kept))
    if isinstance(given, bool) or isinstance(kept, bool):
        return given is kept
    if isinstance(kept, float):
        return math.isclose(given, kept, rel_tol=1e-3, abs_tol=1e-7)
    return bool(given == kept)


def _parts_of(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, BaseModel):
        return {name: getattr(value, name) for name in type(value).model_fields}
    return list(value) if isinstance(value, tuple) else value
