"""Schemas that are inferred from values of JSON."""

from __future__ import annotations

from typing import Any

import numpy as np

MISSING: Any = object()
"""Marks a missing sample."""


def first(sample: Any) -> Any:
    """Return the first item of a list."""
    return sample[0] if isinstance(sample, list) and sample else MISSING


def numbers(sample: Any) -> np.ndarray[Any, Any] | None:
    """Return a (nested) list of numbers as an array, with null as NaN; None for other values."""
    try:
        array = np.asarray(sample if isinstance(sample, list) else [])
        if array.dtype.kind == "O" and all(
            item is None or type(item) in (int, float) for item in array.flat
        ):
            array = array.astype(np.float64)
    except (ValueError, OverflowError):  # ragged; an integer above all floats
        return None
    return array if array.size and array.dtype.kind in "iuf" else None


def infer_schema(sample: Any) -> dict[str, Any]:
    """Infer the schema of a value, without bounds; null shows nothing."""
    if isinstance(sample, dict):
        return {
            "type": "object",
            "properties": {name: infer_schema(value) for name, value in sample.items()},
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
    """Return the schemas of the items of a list; null among numbers stands for NaN."""
    number, integer = {"type": "number"}, {"type": "integer"}
    kinds: list[dict[str, Any]] = []
    for item in sample:
        kind = infer_schema(item)
        if kind not in kinds:
            kinds.append(kind)
    return [kind for kind in kinds if number not in kinds or kind not in (integer, {})]
