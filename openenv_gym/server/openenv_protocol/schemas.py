"""JSON schemas of actions and observations, with the bounds that the Spaces know."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Any, NotRequired

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import ConfigDict, PlainValidator, TypeAdapter
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict

from openenv_gym.errors import SpaceError
from openenv_gym.models import Action, Choice, Observation
from openenv_gym.spaces.action_check import admission
from openenv_gym.spaces.derive import ModelSpace
from openenv_gym.spaces.json.values import json_values
from openenv_gym.spaces.json.write_schema import JsonSchema, json_schema

_NUMBERS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
_READABLE = frozenset({"$ref", "enum", "const", "anyOf", "allOf"})


def action_schema(actions: ModelSpace) -> JsonSchema:
    """JSON schema of the actions of an environment with models."""
    return _bounded(actions)


def observation_schema(observations: ModelSpace, hidden: Collection[str]) -> JsonSchema:
    """JSON schema of its observations.

    Args:
        observations: The model and its Spaces.
        hidden: Fields that do not travel.
    """
    schema = _bounded(observations)
    for name in hidden:
        schema["properties"].pop(name, None)
    if "required" in schema:
        schema["required"] = [name for name in schema["required"] if name not in hidden]
    return schema


def _bounded(models: ModelSpace) -> JsonSchema:
    schema = models.model.model_json_schema()
    for name, part in models.fields.items():
        field = models.model.model_fields[name]
        own = schema["properties"][name]
        if own.get("type") == "array" and "minLength" in own:
            own["minItems"] = own.pop("minLength")  # Pydantic takes an Array for a text
        schema["properties"][name] = own | _bounds(own, part.space, field)
    return schema


def _bounds(own: JsonSchema, space: Space[Any], field: FieldInfo) -> JsonSchema:
    """What the Space of a field says that the schema of its type does not."""
    choice = next((mark for mark in field.metadata if isinstance(mark, Choice)), None)
    if choice is not None:
        return {"enum": list(choice.values)}
    items = own.get("items", {})
    readable = _READABLE & (own.keys() | items.keys())
    if readable or "boolean" in (own.get("type"), items.get("type")):
        return {}  # the field holds not the numbers that the agent sees
    inner = space.feature_space if isinstance(space, spaces.Sequence) else space
    if isinstance(space, spaces.Box) and own.get("type") in ("integer", "number"):
        space = spaces.Box(space.low.min(), space.high.max(), (), np.dtype(space.dtype).type)
    return json_schema(space) if isinstance(inner, _NUMBERS) else {}


class Fields:
    """The values of a Space as fields of an object: those of a Dict, or one.

    Args:
        space: The Space.
        name: Name of the field, where there is one.

    Raises:
        SpaceError: It has no form in JSON.
    """

    def __init__(self, space: Space[Any], name: str) -> None:
        parts: dict[str, Space[Any]] = {name: space}
        self._only: str | None = name
        if isinstance(space, spaces.Dict) and not _taken(space):
            parts, self._only = dict(space.spaces), None
        self._schemas = {key: json_schema(part) for key, part in parts.items()}
        self._write = {key: json_values(part, key).from_space for key, part in parts.items()}
        kinds: dict[str, Any] = {
            key: Annotated[Any, PlainValidator(_reader(part, key))] for key, part in parts.items()
        }
        make: Any = TypedDict  # for a type checker it takes literals only
        fields = make("fields", {**kinds, "metadata": NotRequired[dict[str, Any]]})
        fields.__pydantic_config__ = ConfigDict(extra="forbid")
        self._adapter: TypeAdapter[dict[str, Any]] = TypeAdapter(fields)

    def read(self, data: Any) -> Any:
        """The value of the Space that an object stands for.

        Raises:
            ValidationError: It stands for none.
        """
        fields = self._adapter.validate_python(data)
        fields.pop("metadata", None)
        return fields if self._only is None else fields[self._only]

    def write(self, value: Any) -> dict[str, Any]:
        """The fields of a value of the Space."""
        if self._only is not None:
            return {self._only: self._write[self._only](value)}
        return {key: write(value[key]) for key, write in self._write.items()}

    def action_schema(self) -> JsonSchema:
        """JSON schema of the object, if it is an action."""
        return self._schema(Action.model_json_schema(), "Action", {"metadata"})

    def observation_schema(self) -> JsonSchema:
        """JSON schema of the object, if it is an observation."""
        base = {"done", "reward", "metadata"}
        return self._schema(Observation.model_json_schema(), "Observation", base)

    def _schema(self, base: JsonSchema, title: str, kept: Collection[str]) -> JsonSchema:
        shared = {name: part for name, part in base["properties"].items() if name in kept}
        return {
            "title": title,
            "type": "object",
            "properties": {**shared, **self._schemas},
            "required": list(self._schemas),
            "additionalProperties": False,
        }


def _reader(space: Space[Any], name: str) -> Callable[[Any], Any]:
    to_space, admits = json_values(space, name).to_space, admission(space)

    def read(data: Any) -> Any:
        try:
            value = to_space(data)
        except SpaceError as error:
            raise ValueError(str(error)) from error
        if not admits(value):  # null is NaN, which is in no Space
            raise ValueError(f"Input should be in the Space {space}")
        return value

    return read


def _taken(space: spaces.Dict) -> bool:
    """Keys of the Dict have another meaning in an object."""
    return bool({"metadata", "done", "reward"} & space.spaces.keys()) or not all(
        isinstance(key, str) for key in space.spaces
    )
