"""The Spaces of an environment whose models are known here, but whose options are not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from pydantic import BaseModel

from openenv_gym import registry
from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError, RegistryError
from openenv_gym.registry import Entry
from openenv_gym.sessions.payload import Conversation
from openenv_gym.spaces.derive import derive
from openenv_gym.spaces.json.fields import count_of_game
from openenv_gym.spaces.json.given import Given, Side
from openenv_gym_transports.openenv_servers.server import Schemas

Known = type[Environment[Any, Any, Any]]
Fields = Mapping[str, Any]


def known_class(entry: Entry) -> Known | None:
    """Return the class of an environment whose models are known here; None if they are not.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
    """
    try:
        found = registry.load(entry)
    except RegistryError:
        return None  # the server has the class; it need not be importable here
    return found if isinstance(found, type) and issubclass(found, Environment) else None


def check_fields(cls: Known, schemas: Schemas, name: str) -> None:
    """Check that the server has the environment, by the fields of the action.

    Raises:
        RegistryError: The server has another environment.
    """
    if schemas.action is None:
        return  # the server does not say
    there = set(schemas.action.get("properties") or {}) - {"metadata"}
    required = set(schemas.action.get("required") or ())
    known = set(cls.action_type.model_fields)
    needed = {n for n, field in cls.action_type.model_fields.items() if field.is_required()}
    if not needed <= there or not required <= known:
        raise RegistryError(
            f"This server has another environment than {name!r}: its action has the fields "
            f"{sorted(there)}, and that of {name!r} has {sorted(known - {'metadata'})}. "
            'gymnasium.make("openenv/Remote-v0", url=...) works with any environment.',
            wanted=name,
            fields=sorted(there),
        )


def check_variant(conversation: Conversation, options: Mapping[str, Any], name: str) -> None:
    """Check that the server has the variant that an id stands for, as far as its state says.

    Args:
        conversation: The environment on the server.
        options: What the id stands for, such as ``{"game": "catch"}``; empty for no variant.
        name: The environment's name, for the error.

    Raises:
        OptionError: Its state names another.
    """
    state = conversation.state() if options else {}
    for option, wanted in options.items():
        there = state.get(f"{option}_name", state.get(option))
        if isinstance(there, str) and there.partition("(")[0] != wanted:
            raise OptionError(
                f"This server's {name} has {option}={there!r}, not {wanted!r}: make the id of that "
                "variant, or start the server with the other.",
                option=option,
                wanted=wanted,
                there=there,
            )


def model_spaces(
    cls: Known, given: Given, observe: Callable[[], tuple[Fields, Fields]]
) -> tuple[dict[str, Space[Any]], dict[str, str]]:
    """Return the Spaces of the fields that differ from the models.

    Where the environment's Spaces depend on its options, which only the server knows, dtype and
    bounds come from the model and shapes from one observation.

    Args:
        cls: The environment.
        given: Spaces that the caller gives.
        observe: Function that resets the environment and returns the fields of its observation,
            and its state.

    Returns:
        These Spaces by field, and where the bounds of each leaf came from.

    Raises:
        SpaceError: The models do not give a Space, and neither does the caller.
        OptionError: The caller's Spaces do not fit the models.
    """
    models: tuple[tuple[Side, type[BaseModel]], ...] = (
        ("action", cls.action_type),
        ("observation", cls.observation_type),
    )
    given_spaces: dict[str, Space[Any]] = {}
    for side, model in models:
        given_spaces |= _given_spaces(side, model, given)
    given.check_used(name for _, model in models for name in model.model_fields)
    actions, observations = (derive(model, given_spaces) for _, model in models)
    seen: dict[str, Space[Any]] = {}
    if cls.spaces is not Environment.spaces:
        fields, state = observe()
        legal = fields.get(observations.legal_actions or "")
        for name, part in actions.fields.items():
            seen |= _observed_space(name, _count_actions(part.space, legal, state))
        for name, part in observations.fields.items():
            shape = fields.get(f"{name}_shape")
            seen |= _observed_space(name, _reshape(part.space, fields.get(name), shape))
    found = {**seen, **given_spaces}
    sources = {
        f"{side}.{name}": "given" if name in given_spaces else "probe" if name in seen else "model"
        for side, model in models
        for name in derive(model, found).fields
    }
    return found, sources


def _observed_space(name: str, space: Space[Any] | None) -> dict[str, Space[Any]]:
    return {} if space is None else {name: space}


def _given_spaces(side: Side, model: type[BaseModel], given: Given) -> dict[str, Space[Any]]:
    found: dict[str, Space[Any]] = {}
    for place, space in given.fields(side, model.model_fields).items():
        name = place.partition(".")[2]
        if space is None or name not in model.model_fields:
            raise OptionError(
                f"spaces={{{name!r}: ...}}: the models of this environment are known, so Spaces "
                "can be given only for their fields.",
                field=name,
            )
        found[name] = space
    whole = given.whole(side)
    if whole is not None and not found:
        names = list(derive(model).fields)
        if len(names) != 1:
            raise OptionError(f"{side}_space= must be a Dict of {names}, not {whole}.", known=names)
        found[names[0]] = whole
    return found


def _count_actions(space: Space[Any], legal: Any, state: Fields) -> Space[Any] | None:
    """Return the Space of the actions up to the largest legal one, or of the state's game."""
    counts = isinstance(legal, list) and legal and all(type(one) is int for one in legal)
    if not counts or not isinstance(space, spaces.Discrete):
        return None
    end = max(max(legal) + 1, count_of_game(state))
    return spaces.Discrete(end - int(space.start), start=int(space.start))


def _reshape(space: Space[Any], value: Any, shape: Any) -> Space[Any] | None:
    """Return the Space with the shape of a value, if the bounds are equal for all items."""
    if not isinstance(space, spaces.Box) or not isinstance(value, list) or space.dtype is None:
        return None
    try:
        seen = tuple(shape) if isinstance(shape, list) else np.shape(value)
        low, high = space.low.flat[0], space.high.flat[0]
        if seen == space.shape or (space.low != low).any() or (space.high != high).any():
            return None
        return spaces.Box(low, high, seen, space.dtype.type)
    except (TypeError, ValueError, AssertionError, IndexError):
        return None  # the value is refused when it arrives
