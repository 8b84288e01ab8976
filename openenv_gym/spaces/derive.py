"""Models to Spaces: :func:`derive` reads a model's fields and returns Space and converters."""

from __future__ import annotations

import operator
from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from openenv_gym.errors import SpaceError
from openenv_gym.models import Action, Info, LegalActions, Observation
from openenv_gym.spaces import convert
from openenv_gym.spaces.convert import Converter
from openenv_gym.spaces.fields import Spaced as Spaced
from openenv_gym.spaces.fields import fields_converter, input_keys, spaced_field

T = TypeVar("T")

_LEGAL_ACTIONS = "legal_actions"
_OF_ACTIONS = frozenset(Action.model_fields)
_OF_OBSERVATIONS = frozenset(Observation.model_fields) | _OF_ACTIONS


def base_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields that have no Space, since every model of the side has them.

    An action may have fields of its own that are called ``done`` or ``reward``.
    """
    is_action = any(base.__name__ == "Action" for base in model.__mro__[1:])
    return _OF_ACTIONS if is_action else _OF_OBSERVATIONS


class ModelSpace:
    """The Space of a model, built from the Spaces of its fields.

    Attributes:
        model: The model.
        fields: The fields with a Space by name, in order.
        only: Name and Space of the field, where only one field has a Space, as nearly always.
        space: The Space of the only field, or a Dict of the Spaces of several.
        info_fields: Names of the fields marked ``Info()``.
        legal_actions: Name of the field marked ``LegalActions()``, if there is one.
        to_space: Converts an instance of the model to a value of the Space; raises SpaceError if a
            field's value does not fit its Space.
        from_space: Converts a value of the Space to the fields of the model, by their keys.
        keys: The keys under which the model takes its fields, by name.
    """

    def __init__(
        self,
        model: type[BaseModel],
        fields: dict[str, Spaced],
        info_fields: tuple[str, ...],
        legal_actions: str | None,
    ) -> None:
        self.model = model
        self.fields = fields
        self.info_fields = info_fields
        self.legal_actions = legal_actions
        self.only = only = single_field(fields)
        self.space: Space[Any] = (
            only[1].space
            if only
            else spaces.Dict([(name, part.space) for name, part in fields.items()])
        )
        self.keys = input_keys(model)
        self.to_space, self.from_space = (
            _field_converter(*only, self.keys[only[0]])
            if only
            else fields_converter(fields, self.keys)
        )


def empty(model: type[BaseModel]) -> ModelSpace:
    """Return the Space of a model without fields: one value, which stands for none."""
    found = ModelSpace(model, {}, (), None)
    found.space = spaces.Discrete(1)
    found.to_space, found.from_space = Converter(lambda value: 0, lambda value: {})
    return found


def single_field(fields: Mapping[str, T]) -> tuple[str, T] | None:
    """Return the only field and its name; None if there are several.

    This is the only place that decides when the Space of a model is that of its field, not a Dict.
    """
    return next(iter(fields.items())) if len(fields) == 1 else None


def derive(
    model: type[BaseModel], overrides: Mapping[str, Space[Any] | Spaced | None] | None = None
) -> ModelSpace:
    """Derive the Space of a model.

    Args:
        model: A subclass of Action or Observation.
        overrides: Spaces of this instance, by field name, with a converter or without; None sends
            a field to ``info``. Names of other models are ignored.

    Raises:
        SpaceError: Fields lack the bounds of a Space, or no field has a Space.
    """
    overrides = overrides or {}
    fields: dict[str, Spaced] = {}
    info_fields: list[str] = []
    legal_actions: str | None = None
    problems: dict[str, SpaceError] = {}
    base = base_fields(model)
    for name, field in model.model_fields.items():
        if name in base and name not in overrides:
            continue
        if _marked(field, Info) or (name in overrides and overrides[name] is None):
            info_fields.append(name)
        elif _marked(field, LegalActions):
            legal_actions = name
        else:
            try:
                fields[name] = spaced_field(model, name, field, overrides.get(name))
            except SpaceError as error:
                problems[name] = error
    if problems:
        raise _combined_error(problems)
    if not fields:
        raise SpaceError(
            f"{model.__name__} has no field with a Space. Declare one, such as\n"
            f"    value: Annotated[int, Discrete(7)]",
            model=model.__name__,
        )
    return ModelSpace(model, fields, tuple(info_fields), legal_actions)


def derived(
    action: type[BaseModel],
    observation: type[BaseModel],
    overrides: Mapping[str, Space[Any] | None],
) -> tuple[ModelSpace, ModelSpace]:
    """Return the Spaces of both models of an environment.

    Args:
        action: The action model.
        observation: The observation model.
        overrides: Spaces of this instance, by field name.

    Raises:
        SpaceError: Fields lack the bounds of a Space; one error lists those of both models.
    """
    found: list[ModelSpace] = []
    errors: list[SpaceError] = []
    for model in (action, observation):
        try:
            found.append(derive(model, overrides))
        except SpaceError as error:
            errors.append(error)
    if len(errors) == 2:
        unbounded = {n: line for e in errors for n, line in e.fields.get("unbounded", {}).items()}
        raise SpaceError("\n".join(map(str, errors)), unbounded=unbounded) from errors[0]
    if errors:
        raise errors[0]
    return found[0], found[1]


def _combined_error(problems: dict[str, SpaceError]) -> SpaceError:
    """Combine errors to one, with the line to write for each field under ``unbounded``."""
    errors = [*problems.values()]
    error = errors[0] if len(errors) == 1 else SpaceError("\n".join(map(str, errors)))
    error.fields["unbounded"] = {
        name: one.fields.get("advice", "...") for name, one in problems.items()
    }
    return error


def fitted(model: type[BaseModel], space: Space[Any], without: Collection[str] = ()) -> ModelSpace:
    """Return the Space of a model as it was derived at the other end.

    Options of the environment may have set Spaces of fields that the model does not have.

    Args:
        model: A subclass of Action or Observation.
        space: The Space that :func:`derive` made there.
        without: Fields that have no Space there, though the model says nothing of that.

    Raises:
        SpaceError: The Space was derived from another model.
    """
    beside = set(without)
    listed = isinstance(space, spaces.Dict) and _LEGAL_ACTIONS in space.spaces
    if _LEGAL_ACTIONS in model.model_fields and not listed:
        beside.add(_LEGAL_ACTIONS)  # a mask has it, as of environments of openenv.core
    names = [name for name in _spaced_names(model) if name not in beside]
    if not names:
        beside, names = set(without), [*_spaced_names(model)]
    parts: Mapping[str, Space[Any]] = {}
    only = single_field(dict.fromkeys(names))
    if only is not None:
        parts = {only[0]: space}
    elif isinstance(space, spaces.Dict):
        parts = space.spaces
    if [*parts] != names:
        raise SpaceError(
            f"{model.__name__} has the fields {names}, which make another Space than {space}. Use "
            "the models of this environment, in the same version at both ends.",
            model=model.__name__,
        )
    other = {name: part for name, part in parts.items() if own_space(model, name) != part}
    return derive(model, {**other, **dict.fromkeys(beside & {*_spaced_names(model)})})


def _spaced_names(model: type[BaseModel]) -> list[str]:
    base = base_fields(model)
    return [
        name
        for name, field in model.model_fields.items()
        if name not in base and not _marked(field, Info) and not _marked(field, LegalActions)
    ]


def own_space(model: type[BaseModel], name: str) -> Space[Any] | None:
    """Return the Space that a field of a model has by its type; None if it has none."""
    try:
        return spaced_field(model, name, model.model_fields[name]).space
    except SpaceError:
        return None


def _marked(field: FieldInfo, kind: type) -> bool:
    return any(isinstance(mark, kind) or mark is kind for mark in field.metadata)


def _field_converter(name: str, only: Spaced, key: str) -> Converter:
    to_space, from_space = only.converter
    if to_space is convert.identity:
        return Converter(operator.attrgetter(name), lambda value: {key: from_space(value)})
    return Converter(
        lambda model: to_space(getattr(model, name)), lambda value: {key: from_space(value)}
    )
