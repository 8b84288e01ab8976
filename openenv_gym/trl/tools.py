"""Actions as tools: functions that a language model calls, made of an action model.

:func:`tools_of` gives what such a function looks like: its name, signature and docstring, of which
``transformers`` and others make the JSON schema of a tool.
"""

from __future__ import annotations

import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from openenv_gym.client.tools import CallToolAction
from openenv_gym.models import Choice
from openenv_gym.spaces.derive import own_space
from openenv_gym.spaces.tools import ToolSpec
from openenv_gym.spaces.utf8 import Utf8

_LISTED = 32  # so many choices are listed in the schema, longer tables would fill the prompt


class Tool(NamedTuple):
    """An action, or one of its variants, as a function.

    Attributes:
        name: Of the function.
        parameters: Of the function; those that must be given come first.
        doc: Its docstring, in Google's style.
        action: Makes the action of the arguments; raises pydantic's ValidationError.
    """

    name: str
    parameters: list[inspect.Parameter]
    doc: str
    action: Callable[[Mapping[str, Any]], BaseModel]


def tools_of(
    model: type[BaseModel],
    name: str | None = None,
    bounds: Mapping[str, Space[Any]] | None = None,
) -> list[Tool]:
    """The tools that stand for an action.

    There is one tool, except where the action has a single field that holds one of several models:
    then there is one for each of them.

    Args:
        model: The action.
        name: Name of the tool; by default that of the model, ``PlaceBet`` or ``PlaceBetAction``
            being ``place_bet``.
        bounds: Spaces of fields, by name, as the environment has them; by default the model's own.
    """
    fields = _arguments(model)
    (only, field) = next(iter(fields.items())) if len(fields) == 1 else ("", FieldInfo())
    variants = [kind for kind in typing.get_args(field.annotation) if kind is not types.NoneType]
    if len(variants) < 2 or not all(_is_model(kind) for kind in variants):
        return [Tool(name or _snake(model), *_form(model, bounds), model.model_validate)]

    def maker(variant: type[BaseModel]) -> Callable[[Mapping[str, Any]], BaseModel]:
        return lambda arguments: model.model_validate({only: variant.model_validate(arguments)})

    return [Tool(_snake(kind), *_form(kind), maker(kind)) for kind in variants]


def has_ranges(model: type[BaseModel]) -> bool:
    """Return whether an action has numbers with a range, which may be another in each instance."""
    return any(
        isinstance(own_space(model, name), spaces.Box | spaces.Discrete)
        and _bounds(kind, own_space(model, name)) != ""
        for name, field in _arguments(model).items()
        for kind in [_schema_type(field.annotation, field.metadata)]
    )


def called_tool(spec: ToolSpec) -> Tool:
    """Return the tool that an environment offers itself, as a function.

    Args:
        spec: What the environment says of it.
    """
    properties = spec.input_schema.get("properties") or {}
    required = spec.input_schema.get("required") or ()
    summary, described = _read(spec.description, "Args")
    lines, parameters = [], []
    for name, schema in properties.items():
        default = inspect.Parameter.empty if name in required else schema.get("default")
        kind = _kind(schema, spec.input_schema)
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind
            )
        )
        text = _sentence(schema.get("description") or described.get(name, ""), name)
        low, high = schema.get("minimum"), schema.get("maximum")
        more = f" From {low} to {high}." if low is not None and high is not None else ""
        lines.append(f"    {name}: {text}{more}")
    parameters.sort(key=lambda parameter: parameter.default is not parameter.empty)
    doc = _one_line(summary) or spec.name.replace("_", " ").capitalize()

    def action(arguments: Mapping[str, Any]) -> BaseModel:
        return CallToolAction(tool_name=spec.name, arguments=dict(arguments))

    return Tool(
        spec.name, parameters, "\n".join([doc, "", "Args:", *lines] if lines else [doc]), action
    )


def _kind(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return the Python type of a JSON schema."""
    if "$ref" in schema:
        schema = (root.get("$defs") or {}).get(schema["$ref"].rpartition("/")[2], {})
    if "enum" in schema:
        return Literal[tuple(schema["enum"])]
    options = schema.get("anyOf") or schema.get("oneOf")
    if options:
        return typing.Union[tuple(_kind(option, root) for option in options)]  # noqa: UP007
    kind = schema.get("type")
    if kind == "array":
        return list[_kind(schema.get("items") or {}, root)]  # type: ignore[misc]
    return _KINDS.get(kind if isinstance(kind, str) else "", Any)


_KINDS: Mapping[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "object": dict,
    "null": type(None),
}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _arguments(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """The fields that there is something to say about."""
    return {
        name: field
        for name, field in model.model_fields.items()
        if name != "metadata" and not _is_tag(field)
    }


def _is_tag(field: FieldInfo) -> bool:
    """It can have only one value, which distinguishes variants."""
    values = typing.get_args(field.annotation)
    return typing.get_origin(field.annotation) is Literal and len(values) == 1


def _snake(model: type[BaseModel]) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", model.__name__)
    return words.lower().removesuffix("action").rstrip("_") or "act"


def _form(
    model: type[BaseModel], bounds: Mapping[str, Space[Any]] | None = None
) -> tuple[list[inspect.Parameter], str]:
    """The parameters, and the docstring."""
    bounds = bounds or {}
    summary, described = _read(model.__doc__ or "")
    lines, parameters = [], []
    for name, field in _arguments(model).items():
        default = inspect.Parameter.empty
        if not field.is_required():
            default = field.get_default(call_default_factory=True)
        kind = _schema_type(field.annotation, field.metadata)
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default, annotation=kind
            )
        )
        text = _sentence(field.description or described.get(name, ""), name)
        lines.append(
            f"    {name}: {text}{_bounds(kind, bounds.get(name) or own_space(model, name))}"
        )
    parameters.sort(key=lambda parameter: parameter.default is not parameter.empty)
    doc = _one_line(summary) or _snake(model).replace("_", " ").capitalize()
    return parameters, "\n".join([doc, "", "Args:", *lines] if lines else [doc])


def _read(doc: str, heading: str = "Attributes") -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a docstring, and what a section of it says of each name."""
    doc = inspect.cleandoc(doc)
    section = re.search(rf"^{heading}:\n((?:[ \t]+.*\n|\n)*)", f"{doc}\n", re.MULTILINE)
    items = re.findall(r"^    (\w+): (.*\n(?:     .*\n|\n)*)", section[1] if section else "", re.M)
    return doc.partition("\n\n")[0], {name: text.partition("\n\n")[0] for name, text in items}


def _sentence(text: str, name: str) -> str:
    """Return what is said of an argument, or its name, as a sentence."""
    text = _one_line(text) or name.replace("_", " ").capitalize()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _one_line(text: str) -> str:
    """A text without line breaks and marks of reStructuredText, and no section of a docstring."""
    text = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`", r"\1", text).replace("``", "")
    text = re.sub(r"\b(Args|Returns|Raises):", r"\1", text)
    return " ".join(text.split())


def _schema_type(annotation: Any, metadata: list[Any]) -> Any:
    """The type of an argument, in terms that a JSON schema has."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation, *more = typing.get_args(annotation)
        metadata = [*metadata, *more]
    for mark in metadata:
        if isinstance(mark, Choice) and len(mark.values) <= _LISTED:
            return Literal[mark.values]
        if isinstance(mark, spaces.Box) and typing.get_origin(annotation) is np.ndarray:
            return _nested(mark)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_schema_type(kind, []) for kind in arguments)]  # noqa: UP007
    if origin in (list, tuple):
        return list[_schema_type(arguments[0], [])] if arguments else list  # type: ignore[misc]
    if origin is np.ndarray:
        return list
    if isinstance(annotation, type) and issubclass(annotation, enum.Enum):
        return Literal[tuple(member.value for member in annotation)]
    return dict if origin is dict or _is_model(annotation) else annotation


def _nested(space: spaces.Box) -> Any:
    """Lists in lists of the items of an array."""
    kind: Any = int if np.issubdtype(space.dtype, np.integer) else float
    for _ in space.shape:
        kind = list[kind]
    return kind


def _bounds(kind: Any, space: Space[Any] | None) -> str:
    """What the Space says of an argument beyond its type, as a sentence."""
    if isinstance(space, Utf8):
        return f" At most {space.max_length} characters."
    if isinstance(space, spaces.Discrete) and kind is int:
        return f" From {space.start} to {space.start + space.n - 1}."
    if not isinstance(space, spaces.Box):
        return ""
    shape = "" if kind in (int, float) else f" Of shape {space.shape}."
    low, high = space.low.min(), space.high.max()
    return f"{shape} From {low} to {high}." if np.isfinite([low, high]).all() else shape
