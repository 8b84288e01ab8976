"""What to write where a field's type does not bound it."""

from __future__ import annotations

import types
import typing
from typing import Any

from pydantic import BaseModel

_SCALARS = {int: "Discrete(n)", float: "Box(low, high, (1,))", str: "Utf8(max_length)"}


def advised_space(annotation: Any) -> str:
    """Return the source text of a Space that would do for a field's type."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if annotation in _SCALARS:
        return _SCALARS[annotation]
    if annotation is bool:
        return "Discrete(2)"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in arguments if kind is not types.NoneType]
        if len(kinds) == 1 and len(arguments) == 2:
            return f"OneOf([Discrete(1), {advised_space(kinds[0])}])"
        return "JsonText()"
    if origin in (list, tuple):
        if is_numeric(annotation):
            return "Box(low, high, shape)"
        kinds = [kind for kind in arguments if kind is not Ellipsis]
        item = advised_space(kinds[0]) if len(kinds) == 1 else "JsonText()"
        return f"Sequence({item})"
    if origin is dict or annotation is dict or _is_model(annotation):
        return 'JsonText({"type": "object"})'
    if isinstance(annotation, type) and annotation.__module__ == "numpy":
        return "Box(low, high, shape)"
    return "JsonText()"


def is_numeric(annotation: Any) -> bool:
    """Return whether a type is a number, or (nested) lists of numbers."""
    if typing.get_origin(annotation) in (list, tuple):
        kinds = [kind for kind in typing.get_args(annotation) if kind is not Ellipsis]
        return bool(kinds) and all(map(is_numeric, kinds))
    return annotation in (int, float)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
