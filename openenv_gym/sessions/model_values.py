"""How the models of an environment become values of its Spaces, infos and masks, and back."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete
from numpy.typing import NDArray
from pydantic import BaseModel, TypeAdapter

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.convert import identity, table
from openenv_gym.spaces.derive import ModelSpace
from openenv_gym.spaces.mask import action_mask

_PLAIN = (str, int, float, bool)
_NUMBER_OR_NONE = (int | None, float | None, bool | None)


def action_maker(actions: ModelSpace) -> Callable[[Any], BaseModel]:
    """How a value of the action space becomes the model."""
    # What Model(**fields) calls, without the frame around it.
    validate: Callable[[Any], BaseModel] = actions.model.__pydantic_validator__.validate_python
    from_space = actions.from_space
    if actions.only is not None:  # inlined: saves one call per step
        name, part = actions.only
        key, from_value = actions.keys[name], part.converter.from_space
        return lambda value: validate({key: from_value(value)})
    return lambda value: validate(from_space(value))


def actions_maker(actions: ModelSpace) -> Callable[[list[Any]], Sequence[Any]]:
    """How values of the action space become models, all at once."""
    validate = TypeAdapter[Any](list[actions.model]).validator.validate_python  # type: ignore[name-defined]
    if actions.only is not None:  # inlined: saves one call for each
        name, part = actions.only
        key, from_value = actions.keys[name], part.converter.from_space
        return lambda values: validate([{key: from_value(value)} for value in values])
    from_space = actions.from_space
    return lambda values: validate([from_space(value) for value in values])


def info_getters(
    observations: ModelSpace, without: list[str]
) -> list[tuple[str, Callable[[Any], Any]]]:
    """How each other Info field is read: plain values as they are, models and enums dumped."""
    getters: list[tuple[str, Callable[[Any], Any]]] = []
    for name in (name for name in observations.info_fields if name not in without):
        field = observations.model.model_fields[name]
        plain = field.annotation in _PLAIN or field.annotation == str | None
        getters.append((name, identity if plain else _dumper(field.rebuild_annotation())))
    return getters


def numbers_or_none(observations: ModelSpace) -> list[str]:
    """Info fields that hold a number or None.

    None is left out of the info: where a lane of gymnasium's own vector environments has a number,
    another can have no None.
    """
    fields = observations.model.model_fields
    return [name for name in observations.info_fields if fields[name].annotation in _NUMBER_OR_NONE]


def _dumper(annotation: Any) -> Callable[[Any], Any]:
    dump = TypeAdapter[Any](annotation).dump_python
    return lambda value: without_enums(dump(value))


def without_enums(value: Any) -> Any:
    """The value with the values of enums, which travel, in place of their members."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dict):
        return {without_enums(key): without_enums(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return type(value)(map(without_enums, value))
    return value


def mask_maker(
    actions: ModelSpace, observations: ModelSpace
) -> Callable[[BaseModel], NDArray[np.int8]] | None:
    """How the list of legal actions becomes a mask over the action space."""
    name = observations.legal_actions
    if name is None:
        return None
    space = actions.space
    if not isinstance(space, Discrete):
        raise SpaceError(
            f"{observations.model.__name__}.{name} lists legal actions, which needs a Discrete "
            f"action space, not {space}.",
            field=name,
        )
    size, start = int(space.n), int(space.start)
    converter = next(iter(actions.fields.values())).converter
    index: Callable[[Any], int] = converter.to_space
    counted = index is identity and start == 0
    if index is identity:
        index = table(range(start, start + size), start, name).to_space

    def mask(observation: BaseModel) -> NDArray[np.int8]:
        legal: list[int] = getattr(observation, name)
        if counted and not (legal and min(legal) < 0):
            try:
                return action_mask(legal, size)
            except IndexError:
                pass  # index() names it
        return action_mask([index(value) - start for value in legal], size)

    return mask
