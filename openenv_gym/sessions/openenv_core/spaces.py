"""Spaces of the fields of models of ``openenv.core``, which seldom bound them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Protocol

from gymnasium.spaces import Discrete, Space
from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import to_jsonable_python

from openenv_gym.errors import EnvironmentFailedError, OptionError, SpaceError
from openenv_gym.registry import Entry
from openenv_gym.sessions.openenv_core.models import Models
from openenv_gym.spaces.advice import advised_space
from openenv_gym.spaces.convert import Converter
from openenv_gym.spaces.derive import (
    ModelSpace,
    Spaced,
    base_fields,
    derive,
    empty,
)
from openenv_gym.spaces.describe import parse
from openenv_gym.spaces.fields import input_keys
from openenv_gym.spaces.guesses import split_mode
from openenv_gym.spaces.json.fields import LEGAL_ACTIONS, Fields, FieldSpace, lists_legal_actions
from openenv_gym.spaces.json.given import Given
from openenv_gym.spaces.json.read_environment import EnvironmentSpaces, read_environment

_SIDES = ("action", "observation")

GivenSpaces = dict[str, dict[str, Space[Any] | None]]
"""Spaces by side and field; None sends a field to ``info``."""


class _Environment(Protocol):
    def reset(self) -> Any:
        raise NotImplementedError

    @property
    def state(self) -> Any:
        raise NotImplementedError


class CoreSpaces:
    """Spaces of both models: as their fields say, as given, and defaults for the rest.

    Args:
        models: The models.
        entry: What the environment was found by, with the Spaces that are given.
        environment: The environment, which is reset if an observation shows more.

    Attributes:
        sources: Where the bounds of each leaf came from; empty where all are bounded.
    """

    def __init__(self, models: Models, entry: Entry, environment: _Environment) -> None:
        self._models = {"action": models.action, "observation": models.observation}
        self._given = given_spaces(models, entry)
        self._environment = environment
        self._unbounded = {
            side: unbounded_fields(model, self._given[side]) for side, model in self._models.items()
        }
        self._schemas = {side: _schema(model, side) for side, model in self._models.items()}
        self._found: EnvironmentSpaces | None = None
        self._guessed: FieldSpace | None = None
        self.sources: dict[str, str] = {}
        if any(names is None or names for names in self._unbounded.values()):
            self._find(entry)

    def _find(self, entry: Entry) -> None:
        """Find Spaces of the fields that nobody bounds, as for a server's environment."""
        schemas = self._schemas
        given = Given(spaces=entry.spaces)
        self._found = found = read_environment(
            schemas["action"], schemas["observation"], given, self._probe, entry.name
        )
        names = self._unbounded["observation"] or set()
        parts = {name: part for name, part in found.observations.parts.items() if name in names}
        if parts:
            self._guessed = found.observations.with_parts(parts)
        self.sources = {
            place: source
            for place, source in found.sources.items()
            if source in ("default", "probe")
        }

    def _probe(self) -> tuple[Fields, Fields]:
        try:
            observation = self._environment.reset()
            return dumped(observation), dumped(self._environment.state)
        except Exception as error:  # the user's own reset raises it again
            raise EnvironmentFailedError(f"The reset failed: {error}") from error

    def derive(self) -> tuple[ModelSpace, ModelSpace]:
        """Return the Spaces of both models, as they are now."""
        actions = self._side("action")
        observations = self._side("observation")
        if self._masks(actions) and LEGAL_ACTIONS in self._models["observation"].model_fields:
            observations.legal_actions = LEGAL_ACTIONS
        return actions, observations

    def _masks(self, actions: ModelSpace) -> bool:
        schema = self._schemas["observation"]
        return isinstance(actions.space, Discrete) and lists_legal_actions(schema, None)

    def _side(self, side: str) -> ModelSpace:
        model, found = self._models[side], self._found
        names = self._unbounded[side]
        if names is None:
            return empty(model)
        overrides: dict[str, Space[Any] | Spaced | None] = dict(self._given[side])
        parts = {} if found is None else getattr(found, f"{side}s").parts
        if side == "observation" and self._guessed is not None:
            parts = self._guessed.parts
        left = {name for name in names if name not in parts}
        overrides |= {name: _of_models(parts[name]) for name in names if name in parts}
        overrides |= dict.fromkeys(left)
        if len(overrides) == len(left) == len(_own(model)):
            return empty(model)
        space = derive(model, overrides)
        space.info_fields = tuple(name for name in space.info_fields if name not in left)
        return space

    def widen(self, observation: Any) -> bool:
        """Widen the Spaces that are guesses, if a value is outside of them.

        Returns:
            Whether one was widened.
        """
        found, widened = self._found, False
        if found is None:
            return False
        if found.has_mask and found.actions.names & (self._unbounded["action"] or set()):
            before = found.widened
            found.mask({LEGAL_ACTIONS: dumped(getattr(observation, LEGAL_ACTIONS, []))})
            widened = found.widened != before
        if self._guessed is not None:
            before = self._guessed.widened
            names = self._guessed.names
            self._guessed.to_space({n: dumped(getattr(observation, n, None)) for n in names})
            widened = widened or self._guessed.widened != before
        return widened


def unbounded_fields(
    model: type[BaseModel], given: Mapping[str, Space[Any] | None]
) -> set[str] | None:
    """Return the fields of a model without a Space; None if no field could have one."""
    try:
        derive(model, given)
    except SpaceError as error:
        if "unbounded" not in error.fields:
            return None
        return {*error.fields["unbounded"]}
    return set()


def _own(model: type[BaseModel]) -> list[str]:
    base = base_fields(model)
    return [name for name in model.model_fields if name not in base]


def _of_models(part: Spaced) -> Spaced:
    """Return a Space with a converter of a model's values in place of JSON's."""
    to_space, from_space = part.converter
    return Spaced(part.space, Converter(lambda value: to_space(dumped(value)), from_space))


def dumped(value: Any) -> Any:
    """Return a value as JSON, with NaN and infinity as they are."""
    return to_jsonable_python(value, by_alias=False, inf_nan_mode="constants", fallback=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return vars(value) if hasattr(value, "__dict__") else str(value)


def _schema(model: type[BaseModel], side: str) -> dict[str, Any]:
    """Return the schema of a model, with its fields by name.

    Fields of nested models are by alias in an action, which takes them so, and by name in an
    observation, as :func:`dumped` gives them.
    """
    try:
        schema = model.model_json_schema(by_alias=side == "action")
    except PydanticInvalidForJsonSchema:  # a field has a type that JSON does not know
        return {"properties": dict.fromkeys(model.model_fields, True)}
    names = {key: name for name, key in input_keys(model).items()} if side == "action" else {}
    properties, required = schema.get("properties", {}), schema.get("required", [])
    schema["properties"] = {names.get(key, key): part for key, part in properties.items()}
    schema["required"] = [names.get(key, key) for key in required]
    return schema


def given_spaces(models: Models, entry: Entry) -> GivenSpaces:
    """Return the Spaces that are given for whole fields, by side and field.

    Raises:
        OptionError: One is for a field that the models do not have.
    """
    fields = {side: getattr(models, side).model_fields for side in _SIDES}
    found: GivenSpaces = {side: {} for side in _SIDES}
    unknown: list[str] = []
    for key, space in split_mode(entry.spaces)[0].items():
        side, _, rest = key.partition(".")
        at = [side] if side in _SIDES and rest else list(_SIDES)
        name = rest if len(at) == 1 else key
        first = name.partition("[")[0].partition(".")[0]
        known = [side for side in at if first in fields[side]]
        if not known:
            unknown.append(key)
        for side in known:
            if first == name:  # another is of a part of a field
                found[side][name] = None if space is None else parse(space)
    if unknown:
        known = [*dict.fromkeys([*fields["action"], *fields["observation"]])]
        raise OptionError(
            f"spaces= of {entry.name} names {', '.join(sorted(unknown))}, which its models do not "
            f"have. They have {', '.join(known)}.",
            fields=sorted(unknown),
            known=known,
        )
    return found


def check_spaces(models: Models, entry: Entry) -> None:
    """Check that both models and the given Spaces bound all fields.

    Raises:
        SpaceError: They do not; the error lists all fields of both models.
    """
    given = given_spaces(models, entry)
    lines: list[str] = []
    names: list[str] = []
    causes: list[SpaceError] = []
    for side in _SIDES:
        model: type[BaseModel] = getattr(models, side)
        try:
            derive(model, given[side])
        except SpaceError as error:
            if "unbounded" not in error.fields:
                raise
            causes.append(error)
            for name in error.fields["unbounded"]:
                annotation = model.model_fields[name].annotation
                declared = f"{model.__name__}.{name}: {_shown(annotation)}"
                lines.append(f'    "{name}": {advised_space(annotation)},  # {declared}')
                names.append(name)
    if lines:
        listed = "\n".join(lines)
        raise SpaceError(
            f"Fields of {entry.name} have no bounds, which make no Space. Give each its own where "
            "you register the environment; None sends one of the observation to info:\n"
            f"register_environment(..., spaces={{\n{listed}\n}})\n"
            "or name models in which they are bounded: action='module:Class', "
            "observation='module:Class'; or take defaults: spaces='auto'.",
            environment=entry.name,
            unbounded=names,
        ) from causes[0]


def _shown(annotation: Any) -> str:
    return inspect.formatannotation(annotation).replace("typing.", "")
