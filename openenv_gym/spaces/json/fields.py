"""The Spaces of an environment that is known only by its server's schemas.

The Spaces of the fields come from their schemas (:mod:`openenv_gym.spaces.json.read_schema`), from
the caller, and from one observation where only data shows a shape. Two names have the meaning of
OpenEnv's own environments: ``legal_actions`` lists the legal values of the action, and
``<name>_shape`` is the shape of the flat list ``<name>``.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.errors import OptionError, SpaceError
from openenv_gym.spaces.derive import Spaced, single_field
from openenv_gym.spaces.json import values as jsonvalues
from openenv_gym.spaces.json.default_reader import DefaultReader
from openenv_gym.spaces.json.given import Given, Side
from openenv_gym.spaces.json.read_schema import Problem, SchemaReader
from openenv_gym.spaces.json.samples import MISSING, infer_schema
from openenv_gym.spaces.json.values import defaults
from openenv_gym.spaces.json.widen import Change, replaced, wider

LEGAL_ACTIONS = "legal_actions"
BASE_FIELDS: Mapping[Side, frozenset[str]] = {
    "action": frozenset({"metadata"}),
    "observation": frozenset({"metadata", "done", "reward", "truncated", "terminated"}),
}

_NAMED = {"type": "Dict", "spaces": {"<field>": {"type": ...}}}

Fields = Mapping[str, Any]
"""Fields of an action or an observation, as values of JSON."""


class FieldSpace:
    """A Space that is built from the Spaces of fields.

    Args:
        side: The model that has the fields.
        parts: Spaces of the fields, in order.
        whole: The whole Space, if the caller gave it.
        left_out: Values of fields that the server leaves out.
        changes: List of Spaces that became wider while values were converted; None where a value
            outside of its Space is an error.

    Attributes:
        parts: Spaces of the fields.
        space: The Space of a single field, or a Dict for several.
        names: The fields.
        widened: How often one of the Spaces became wider.
    """

    def __init__(
        self,
        side: Side,
        parts: Mapping[str, Spaced],
        *,
        whole: Space[Any] | None = None,
        left_out: Fields | None = None,
        changes: list[Change] | None = None,
    ) -> None:
        self.names = frozenset(parts)
        self.parts = dict(parts)
        self._left_out = {name: v for name, v in (left_out or {}).items() if name in parts}
        self._side: Side = side
        self._changes = changes
        self.widened = 0
        only = single_field(parts)
        self._only: str | None = None
        if isinstance(whole, spaces.Dict) and whole.spaces.keys() == parts.keys():
            self.space: Space[Any] = whole
        elif only is not None:
            self._only, self.space = only[0], only[1].space
        else:
            self.space = spaces.Dict([(name, part.space) for name, part in parts.items()])

    def to_space(self, fields: Fields) -> Any:
        """Convert fields to a value of the Space, which a guess widens if it is outside.

        Raises:
            SpaceError: A field is missing, or is not in its Space.
        """
        value = self._convert(fields)
        while self._changes:  # items that were converted before may be in the narrow Space
            self.parts = {
                name: Spaced(replaced(part.space, self._changes), part.converter)
                for name, part in self.parts.items()
            }
            self.space = replaced(self.space, self._changes)
            self._changes.clear()
            self.widened += 1
            value = self._convert(fields)
        return value

    def _convert(self, fields: Fields) -> Any:
        fields = {**self._left_out, **fields}
        missing = self.names - fields.keys()
        if missing and self._changes is None:
            raise SpaceError(
                f"{', '.join(f'{self._side}.{name}' for name in sorted(missing))} is missing in "
                "the server's reply.",
                fields=sorted(missing),
            )
        if self._only is not None:
            return self.parts[self._only].converter.to_space(fields.get(self._only))
        return {
            name: part.converter.to_space(fields.get(name)) for name, part in self.parts.items()
        }

    def with_parts(self, parts: Mapping[str, Spaced]) -> FieldSpace:
        """Return the Space of some of the fields."""
        return FieldSpace(self._side, parts, left_out=self._left_out, changes=self._changes)

    def reach(self, action: int) -> None:
        """Widen the Discrete Space of the only field, so that it has an action too."""
        assert self._only is not None, "it has a mask"
        space = wider(self.space, action)
        self.widened += 1
        place = f"{self._side}.{self._only}"
        self.space, converter = space, jsonvalues.json_values(space, place)
        self.parts = {self._only: Spaced(space, converter)}

    def from_space(self, value: Any) -> dict[str, Any]:
        """Convert a value of the Space to fields."""
        if self._only is not None:
            return {self._only: self.parts[self._only].converter.from_space(value)}
        return {name: part.converter.from_space(value[name]) for name, part in self.parts.items()}


class NoFields(FieldSpace):
    """The Space of a model without fields: one value, which stands for none."""

    def __init__(self, side: Side) -> None:
        super().__init__(side, {})
        self.space = spaces.Discrete(1)

    def to_space(self, fields: Fields) -> Any:
        """Implements FieldSpace.to_space."""
        return 0

    def from_space(self, value: Any) -> dict[str, Any]:
        """Implements FieldSpace.from_space."""
        return {}


class FieldReader:
    """Makes the Spaces of one model's fields.

    Args:
        side: The model that has the fields.
        schema: Schema of the model; None where the server has none.
        given: Spaces that the caller gives.
        sample: Fields of one observation, or None.
        found: Spaces that data show, by field.
        left: Fields that are left to the server's defaults.

    Attributes:
        side: The model that has the fields.
        names: Names of the fields; None where they are unknown.
        problems: Fields without a Space.
        sources: Where the bounds of each leaf came from.
    """

    def __init__(
        self,
        side: Side,
        schema: Mapping[str, Any] | None,
        given: Given,
        *,
        sample: Fields | None = None,
        found: Mapping[str, Space[Any]] | None = None,
        left: Collection[str] = (),
    ) -> None:
        self.side: Side = side
        self._given = given
        self._sample = sample
        self._found = found or {}
        observed = sample if side == "observation" else None
        if observed and (schema is None or not (given.strict or _own_fields(side, schema))):
            schema = infer_schema(dict(observed))
        self._schema = schema or {}
        self._properties = {n: v for n, v in _own_fields(side, schema).items() if n not in left}
        self.names = None if schema is None else list(self._properties)
        self._given_spaces = given.fields(side, self.names)
        places = {place: space for place, space in self._given_spaces.items() if space is not None}
        shapes = _flat_shapes(sample) if side == "observation" and sample else {}
        kind = SchemaReader if given.strict else DefaultReader
        self._reader = kind(
            self._schema, observed=side == "observation", given=places, shapes=shapes
        )
        self._default = self._reader if isinstance(self._reader, DefaultReader) else None
        self.problems: list[Problem] = self._reader.problems
        self.sources = self._reader.sources

    @property
    def unbounded(self) -> list[Problem]:
        """What the schema and the caller do not bound."""
        return self.problems if self._default is None else self._default.unbounded

    @property
    def probes(self) -> bool:
        """An observation could show more than the schema."""
        without = self.side == "observation" and not self._properties
        return self._default is not None and (self._default.probes or without)

    def make(self, beside: frozenset[str]) -> FieldSpace:
        """Make the Space of the fields.

        Args:
            beside: Fields that are in no Space.

        Returns:
            The Space, which can be used only if :attr:`problems` is empty.

        Raises:
            OptionError: The caller's Spaces do not fit the fields.
        """
        whole = self._given.whole(self.side)
        names = list(self._properties)
        if whole is not None:
            names = self._names_of(whole)
        elif self.names is None:  # only the caller's Spaces are known
            names = [place.partition(".")[2] for place in self._given_spaces]
        parts: dict[str, Spaced] = {}
        for name in names:
            if name not in beside and self._wanted(name):
                parts[name] = self._read(name, whole if len(names) == 1 else None)
        left_out = defaults(self._properties)
        if parts or self._default is None or self.names is None:
            if not parts:
                self.problems.append(Problem(self.side, "it has no field with a Space", _NAMED))
            changes = None if self._default is None else self._default.changes
            return FieldSpace(self.side, parts, whole=whole, left_out=left_out, changes=changes)
        return NoFields(self.side)

    def _wanted(self, name: str) -> bool:
        """Return whether the caller leaves the field in the Space."""
        place = f"{self.side}.{name}"
        if place not in self._given_spaces or self._given_spaces[place] is not None:
            return True
        if self.side == "action" and name in (self._schema.get("required") or ()):
            raise OptionError(
                f"spaces= leaves {place} to the server, which has no default for it: give a Space.",
                field=name,
            )
        return False

    def _read(self, name: str, whole: Space[Any] | None) -> Spaced:
        place = f"{self.side}.{name}"
        given = self._given_spaces.get(place)
        if whole is not None and given is None and not isinstance(whole, spaces.Dict):
            self.sources[place] = "given"
            return Spaced(whole, jsonvalues.json_values(whole, place))
        if name in self._found and given is None:
            self.sources[place] = "probe"
            return Spaced(self._found[name], jsonvalues.json_values(self._found[name], place))
        sample = MISSING
        if self.side == "observation" and self._sample is not None:
            sample = self._sample.get(name, MISSING)
        return self._reader.read(self._properties.get(name, True), place, sample)

    def _names_of(self, whole: Space[Any]) -> list[str]:
        """Return the names of the fields of a Space that the caller gave as a whole."""
        if isinstance(whole, spaces.Dict):
            names = [*whole.spaces]
            if self.names is None or set(names) <= set(self.names):
                return names
        required = [name for name in self._schema.get("required") or () if name in self._properties]
        for candidates in (list(self._properties), required):
            if len(candidates) == 1:
                return candidates
        raise OptionError(
            f"{self.side}_space={whole} does not name its field"
            f"{'' if self.names is None else f' among {self.names}'}. Give a Dict with the "
            "field's name as key, or spaces= by field.",
            known=self.names,
        )


def _own_fields(side: Side, schema: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the schemas of the fields that not all models of the side have."""
    properties = (schema or {}).get("properties") or {}
    return {name: field for name, field in properties.items() if name not in BASE_FIELDS[side]}


def _flat_shapes(sample: Fields) -> dict[str, tuple[int, ...]]:
    """Return the shapes of flat lists, by place, from the fields beside them."""
    found = {}
    for name, value in sample.items():
        flat = name.removesuffix("_shape")
        if flat != name and flat in sample and _is_shape(value):
            found[f"observation.{flat}"] = tuple(value)
    return found


def _is_shape(value: Any) -> bool:
    return isinstance(value, list) and all(type(side) is int and side > 0 for side in value)


def companions(names: list[str] | None) -> frozenset[str]:
    """Return the fields that only describe other fields: the shapes of flat lists."""
    known = set(names or ())
    return frozenset(n for n in known if n.endswith("_shape") and n.removesuffix("_shape") in known)


def lists_legal_actions(schema: Mapping[str, Any] | None, sample: Fields | None) -> bool:
    """Return whether an observation lists the legal values of the action, which are integers."""
    listed = ((schema or {}).get("properties") or {}).get(LEGAL_ACTIONS)
    if isinstance(listed, dict):
        items = listed.get("items")
        return isinstance(items, dict) and items.get("type") == "integer"
    legal = (sample or {}).get(LEGAL_ACTIONS)
    return isinstance(legal, list) and all(type(one) is int for one in legal)


def action_by_data(
    problems: list[Problem], observation: Fields, state: Fields
) -> dict[str, Space[Any]]:
    """Return the Space of the only action field without bounds, as data of the environment show.

    Integers reach the largest in ``legal_actions``. Floats follow ``state.action_spec``, which
    environments of dm_control have.
    """
    numeric = [problem for problem in problems if problem.advice["type"] in ("Discrete", "Box")]
    if len(numeric) != 1 or "[" in numeric[0].place:
        return {}
    name = numeric[0].place.partition(".")[2]
    legal = observation.get(LEGAL_ACTIONS)
    kind = numeric[0].advice["type"]
    if kind == "Discrete" and isinstance(legal, list):
        count = max([count_of_game(state), *(max(legal) + 1 for _ in legal[:1])])
        if all(type(value) is int and value >= 0 for value in legal) and count:
            return {name: spaces.Discrete(count)}
    spec = state.get("action_spec")
    if kind == "Box" and isinstance(spec, dict):
        try:
            low, high = (np.asarray(spec[key], np.float64) for key in ("minimum", "maximum"))
            low, high = (np.broadcast_to(bound, spec["shape"]) for bound in (low, high))
            return {name: spaces.Box(low, high, dtype=np.float64)}
        except (LookupError, TypeError, ValueError, AssertionError):
            return {}
    return {}


def count_of_game(state: Fields) -> int:
    """Return the number of actions of the game of OpenSpiel that a state names; 0 if unknown."""
    name, parameters = state.get("game_name"), state.get("game_params") or {}
    if not isinstance(name, str) or importlib.util.find_spec("pyspiel") is None:
        return 0
    pyspiel: Any = importlib.import_module("pyspiel")
    if name.partition("(")[0] not in pyspiel.registered_names():
        return 0  # another library's game
    try:
        return int(pyspiel.load_game(name, parameters).num_distinct_actions())
    except (RuntimeError, TypeError, ValueError, pyspiel.SpielError):
        return 0  # another release has other parameters


def game_fields(schema: Mapping[str, Any] | None, state: Fields) -> frozenset[str]:
    """Return the fields of an action that only name the game, which the state names too."""
    required = (schema or {}).get("required") or ()
    names = {"game_name", "game_params"} & _own_fields("action", schema).keys() & state.keys()
    return frozenset(names - {*required})


def bounds_error(url: str, problems: list[Problem]) -> SpaceError:
    """Return the error that lists all fields without a Space, with the arguments to pass."""
    listed = "\n".join(f"    {problem.place}: {problem.reason}" for problem in problems)
    keywords = [
        f"{problem.place}_space={_write_advice(problem.advice)}"
        for problem in problems
        if "." not in problem.place
    ]
    fields = [
        f'    "{problem.place.partition(".")[2]}": {_write_advice(problem.advice)},'
        for problem in problems
        if "." in problem.place
    ]
    if fields:
        keywords.append("\n".join(["spaces={", *fields, "}"]))
    arguments = ",\n".join(keywords)
    return SpaceError(
        f"The server at {url} does not say enough about these fields to make Spaces:\n{listed}\n"
        "Give their Spaces to gymnasium.make, with your own values in place of the dots:\n"
        f"{arguments}\n"
        "In spaces= None sends a field of the observation to info, and leaves a field of the "
        'action to the server\'s default. spaces="auto" takes a default for each.',
        fields=[problem.place for problem in problems],
        url=url,
    )


def _write_advice(advice: Any) -> str:
    """Return the description of a Space as source text, with dots for unknown values."""
    if isinstance(advice, Mapping):
        text = ", ".join(f'"{key}": {_write_advice(value)}' for key, value in advice.items())
        return f"{{{text}}}"
    return "..." if advice is ... else json.dumps(advice)
