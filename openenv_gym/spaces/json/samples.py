"""What a value of JSON tells of its schema, where nobody tells that."""

from __future__ import annotations

from typing import Any

import numpy as np

MISSING: Any = object()
"""There is no sample."""


def first(sample: Any) -> Any:
    """The first item of a list."""
    return sample[0] if isinstance(sample, list) and sample else MISSING


def numbers(sample: Any) -> np.ndarray[Any, Any] | None:
    """A list, maybe of lists, of numbers as an array, null as NaN; None if it is none, or empty."""
    try:
        array = np.asarray(sample if isinstance(sample, list) else [])
    except ValueError:
        return None
    if array.dtype.kind == "O" and all(
        item is None or type(item) in (int, float) for item in array.flat
    ):
        array = array.astype(np.float64)
    return array if array.size and array.dtype.kind in "iuf" else None


def inferred(sample: Any) -> dict[str, Any]:
    """The schema of a value as far as that alone tells it, without any bounds; of null nothing."""
    if isinstance(sample, dict):
        return {
            "type": "object",
            "properties": {name: inferred(value) for name, value in sample.items()},
        }
    if isinstance(sample, list):
        kinds = _kinds(sample)
        alike = len(kinds) == 1 and kinds[0].get("type") != "object"
        return {"type": "array", "items": kinds[0]} if alike else {"type": "array"}
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string")):
        if isinstance(sample, kind):
            return {"type": name}
    return {}


def _kinds(sample: list[Any]) -> list[dict[str, Any]]:
    """The schemas of what is in a list; null among numbers stands for NaN."""
    number, integer = {"type": "number"}, {"type": "integer"}
    kinds: list[dict[str, Any]] = []
    for item in sample:
        kind = inferred(item)
        if kind not in kinds:
            kinds.append(kind)
    return [kind for kind in kinds if number not in kinds or kind not in (integer, {})]
