"""Models as OpenEnv's guide writes them: by keyword or by position, with ``@dataclass`` or not."""

from __future__ import annotations

from typing import Any

from openenv_gym import models

_BASE = frozenset({*models.Action.model_fields, *models.Observation.model_fields})
_BASE_OF_STATE = frozenset(models.State.model_fields)


class Action(models.Action):
    """Base of all actions."""

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(**_named(type(self), values, fields, _BASE))


class Observation(models.Observation):
    """Base of all observations."""

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(**_named(type(self), values, fields, _BASE))


class State(models.State):
    """Base of all states."""

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(**_named(type(self), values, fields, _BASE_OF_STATE))


def _named(
    kind: Any, values: tuple[Any, ...], fields: dict[str, Any], base: frozenset[str]
) -> dict[str, Any]:
    """Return all fields by name; those by position are the model's own, in their order."""
    if not values:
        return fields
    names = [name for name in kind.model_fields if name not in base]
    if len(values) > len(names):
        raise TypeError(f"{kind.__name__} takes {len(names)} values by position: {names}")
    given = dict(zip(names, values, strict=False))
    twice = given.keys() & fields.keys()
    if twice:
        raise TypeError(f"{kind.__name__} got several values for {', '.join(sorted(twice))}")
    return {**given, **fields}
