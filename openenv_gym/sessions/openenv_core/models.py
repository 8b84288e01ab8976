"""What an environment of ``openenv.core`` is, and the models that it speaks in."""

from __future__ import annotations

import inspect
import typing
from typing import Any, NamedTuple

from pydantic import BaseModel

from openenv_gym import registry
from openenv_gym.errors import OptionError
from openenv_gym.models import State
from openenv_gym.registry import Entry

# Where all releases have the base class: openenv.core, openenv_core, and copies in repositories.
_HOME = "env_server.interfaces"
_BASE = "Environment"


class Models(NamedTuple):
    """The models of an environment."""

    action: type[BaseModel]
    observation: type[BaseModel]
    state: type[BaseModel]


def is_openenv_class(kind: Any) -> bool:
    """Whether it is a class derived from the ``Environment`` of OpenEnv's own package."""
    return isinstance(kind, type) and any(_is_base(base) for base in kind.__mro__)


def environment_base(kind: type) -> type:
    """Return the ``Environment`` of OpenEnv's own package that a class is derived from."""
    return next(base for base in kind.__mro__ if _is_base(base))


def _is_base(kind: type) -> bool:
    return kind.__name__ == _BASE and kind.__module__.endswith(_HOME)


def overrides(kind: type, name: str) -> bool:
    """Whether a class has a method of its own in place of the base class's."""
    owner = next((base for base in kind.__mro__ if name in base.__dict__), None)
    return owner is not None and not _is_base(owner)


def models_of(kind: type, entry: Entry) -> Models:
    """Return the models of an environment: those named with it, else those that its class declares.

    A class declares them by ``action_type``, ``observation_type`` and ``state_type``; by the
    arguments of its base, ``Environment[ThingAction, ThingObservation, ThingState]``; or by the
    annotations of ``step`` and ``state``.

    Args:
        kind: The class.
        entry: What it was found by.

    Raises:
        OptionError: They are not declared, or are not Pydantic models.
        RegistryError: There is no module or class of a name.
    """
    reported = named_models(kind, entry)
    for side in Models._fields:
        model = reported.get(side)
        if not _is_model(model):
            raise OptionError(_undeclared(entry, side, model), environment=entry.name, side=side)
    return Models(**reported)


def named_models(kind: type, entry: Entry) -> dict[str, Any]:
    """Return what is said of the models of an environment, by side; unchecked.

    Raises:
        RegistryError: There is no module or class of a name.
    """
    reported = {"state": State, **_annotated(kind), **_arguments(kind), **_attributes(kind)}
    for side, target in entry.models.items():
        reported[side] = registry.load(Entry(target, target)) if isinstance(target, str) else target
    return reported


def _is_model(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, BaseModel)


def _undeclared(entry: Entry, side: str, model: Any) -> str:
    if model is None:
        return (
            f"{entry.target} declares no model of its {side}s. Name it: register_environment("
            f"..., {side}='module:Class')."
        )
    return (
        f"{entry.target} has {model!r} for its {side}s, which is not a Pydantic model. "
        "Environments of openenv-core 0.1 have dataclasses: move them to openenv 0.2 or newer."
    )


def _attributes(kind: type) -> dict[str, Any]:
    found = {side: getattr(kind, f"{side}_type", None) for side in Models._fields}
    return {side: model for side, model in found.items() if model is not None}


def _arguments(kind: type) -> dict[str, Any]:
    """What stands in the brackets behind the base class."""
    for base in kind.__mro__:
        for generic in base.__dict__.get("__orig_bases__", ()):
            origin, arguments = typing.get_origin(generic), typing.get_args(generic)
            if isinstance(origin, type) and _is_base(origin) and all(map(_is_model, arguments)):
                return dict(zip(Models._fields, arguments, strict=False))
    return {}


def _annotated(kind: Any) -> dict[str, Any]:
    """What the annotations of the methods say, where that is more than the base class says."""
    step = _hints(kind, "step")
    parameters = [*inspect.signature(kind.step).parameters]
    found = {
        "action": step.get(parameters[1]) if len(parameters) > 1 else None,
        "observation": step.get("return"),
        "state": _hints(kind, "state").get("return"),
    }
    return {
        side: model
        for side, model in found.items()
        if isinstance(model, type) and not model.__module__.endswith("env_server.types")
    }


def _hints(kind: type, name: str) -> dict[str, Any]:
    member = inspect.getattr_static(kind, name, None)
    function = member.fget if isinstance(member, property) else member
    try:
        return typing.get_type_hints(function) if function is not None else {}
    except (NameError, TypeError):  # of names that only a type checker knows
        return {}
