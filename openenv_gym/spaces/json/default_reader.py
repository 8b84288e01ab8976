"""Default Spaces for what a schema does not bound.

A schema that says less than a Space needs gets a documented default instead of a problem:

==========================  =====================================================================
text                        ``Utf8(65536)``, or ``PatternText`` where an action has a ``pattern``
integer                     Box of one int64, with the bounds that there are
number                      Box of one float64, with the bounds that there are
list of numbers             a Box of the shape that the first observation shows, else ``Numbers``
list of anything else       ``Sequence``
object with any keys, Any,  ``JsonText``: the value as a text of JSON
and whatever else there is
==========================  =====================================================================

What an observation shows is a guess: :mod:`openenv_gym.spaces.json.widen` widens it later.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.json import samples
from openenv_gym.spaces.json import values as jsonvalues
from openenv_gym.spaces.json.read_schema import Problem, SchemaReader
from openenv_gym.spaces.json.samples import MISSING
from openenv_gym.spaces.json.widen import Change, Guess
from openenv_gym.spaces.json_text import LONGEST, JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers

_WIDEST = 1e300  # bound of a Box of floats that can be sampled between both bounds
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_NUMERIC = ("integer", "number")


class DefaultReader(SchemaReader):
    """Reads schemas like :class:`SchemaReader`, with a default Space in place of each problem.

    Attributes:
        unbounded: What the schemas do not bound, as :attr:`problems` of the base class.
        probes: An observation could show more of these fields than their schemas say.
        changes: Spaces that became wider, as values outside of them arrived.
    """

    smallest_picture = 24

    def __init__(
        self,
        definitions: Mapping[str, Any],
        *,
        observed: bool,
        given: Mapping[str, Space[Any]] | None = None,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        super().__init__(definitions, observed=observed, given=given, shapes=shapes)
        self.unbounded: list[Problem] = []
        self.probes = False
        self.changes: list[Change] = []
        self._in_union = False

    def read(self, schema: Any, place: str, sample: Any = MISSING) -> Spaced:
        """Implements SchemaReader.read; an invalid schema is one of any value."""
        spaced = super().read(schema, place, sample)
        return self._in_place_of_problems(True, place, MISSING) if self.problems else spaced

    def _read(self, schema: Any, place: str, sample: Any = MISSING) -> Spaced:
        spaced = super()._read(schema, place, sample)
        if self.problems:
            spaced = self._in_place_of_problems(schema, place, sample)
        return self._guess(spaced, place)

    def _guess(self, spaced: Spaced, place: str) -> Spaced:
        """Return a Space of an observation with a converter that widens it, if it is not given."""
        sources = {
            source
            for name, source in self.sources.items()
            if name.startswith(place) and name[len(place) : len(place) + 1] in ("", ".", "[", "(")
        }
        if not self._observed or self._in_union or "given" in sources:
            return spaced
        certain = sources.isdisjoint({"default", "probe"})
        return Guess(spaced, place, self.changes, certain=certain).spaced

    def _any_of(
        self, options: list[Any], beside: dict[str, Any], place: str, sample: Any
    ) -> Spaced:
        kinds = [option for option in options if option != {"type": "null"}]
        outer, self._in_union = self._in_union, self._in_union or len(kinds) > 1
        try:
            return super()._any_of(options, beside, place, sample)
        finally:
            self._in_union = outer

    def _in_place_of_problems(self, schema: Any, place: str, sample: Any) -> Spaced:
        """Return the default of a schema; the problems in reading it are solved by that."""
        self.unbounded += self.problems
        self.problems.clear()
        for name in [name for name in self.sources if name.startswith(f"{place}[")]:
            del self.sources[name]
        resolved = self._resolve(schema)
        kind = resolved.get("type")
        if kind in _NUMERIC and not self._unkept(resolved):
            return self._one_number(kind, resolved, place)
        text = self._text(resolved, LONGEST)
        if text is not None:
            return self._leaf(text, place, source="default")
        if kind == "array" and not self._unkept(resolved):
            found = self._list(resolved, place, sample)
            if found is not None:
                return found
        return self._any_json(schema, place)

    def _unkept(self, schema: Mapping[str, Any]) -> bool:
        return not self._observed and self.unkept(schema) is not None

    def _any_json(self, schema: Any, place: str) -> Spaced:
        """Return the Space of values that are no more than a value of JSON."""
        whole = dict(schema) if isinstance(schema, dict) else {}
        whole = {name: value for name, value in whole.items() if name not in ("default", "title")}
        definitions = self._definitions.get("$defs")
        if definitions and "$ref" in str(whole):
            whole["$defs"] = definitions
        if "$ref" in whole:  # the outermost type is that of the target
            whole = {**self._resolve(whole), **{n: v for n, v in whole.items() if n != "$ref"}}
        return self._leaf(JsonText(whole), place, source="default")

    def _object(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        others = schema.get("additionalProperties")
        if others is True or isinstance(others, dict):
            numeric = isinstance(others, dict) and self._is_numeric(others)
            if schema.get("properties") or not numeric:
                self._problem(place, "an object with any fields", {"type": "JsonText"})
                return self._any_json(schema, place)
            self.probes = True
        return super()._object(schema, place, sample)

    def _untyped(self, place: str, sample: Any) -> Spaced:
        return super()._untyped(place, MISSING)

    def _array(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        kind, fixed = self._unbounded(schema)
        if kind in _NUMERIC and not fixed and self._observed:
            self.probes = True
        return super()._array(schema, place, sample)

    def _is_numeric(self, schema: Any) -> bool:
        kind, _ = self._unbounded(self._resolve(schema))
        return kind in _NUMERIC

    def _one_number(self, kind: str, schema: Mapping[str, Any], place: str) -> Spaced:
        space = _box(kind, schema, (1,))
        return self._leaf(space, place, jsonvalues.single(space, place), "default")

    def _list(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced | None:
        """Return the Space of a list; None where it is no more than JSON."""
        kind, _ = self._unbounded(schema)
        if kind not in _NUMERIC or "prefixItems" in schema:
            return None
        shape, item = self._fixed_shape(schema)
        source = "default"
        if shape is None and self._observed:
            shape, source = self._seen_shape(place, sample), "probe"
        if shape is not None:
            return self._leaf(_box(kind, item, shape), place, source=source)
        space = self._nested_numbers(schema)
        return None if space is None else self._leaf(space, place, source="default")

    def _fixed_shape(self, schema: Any) -> tuple[tuple[int, ...] | None, Mapping[str, Any]]:
        """Return the shape, if the schema has all lengths, and the schema of each number."""
        shape: list[int] = []
        fixed = True
        while schema.get("type") == "array":
            length = schema.get("minItems", 0)
            fixed = fixed and 0 < length == schema.get("maxItems")
            shape.append(length)
            schema = self._resolve(schema.get("items"))
        return tuple(shape) if fixed and math.prod(shape) < 1 << 26 else None, schema

    def _seen_shape(self, place: str, sample: Any) -> tuple[int, ...] | None:
        array = samples.numbers(sample)
        if array is None:
            return None
        known = self._shapes.get(place)
        return array.shape if known is None or math.prod(known) != array.size else known

    def _nested_numbers(self, schema: Mapping[str, Any]) -> Space[Any] | None:
        """Return the Space of (nested) lists of numbers, each of any length."""
        items = self._resolve(schema.get("items"))
        shortest, longest = int(schema.get("minItems", 0)), schema.get("maxItems")
        if items.get("type") in _NUMERIC:
            if longest is not None and not shortest <= longest:
                return None
            return Numbers(_box(items["type"], items, ()), min_length=shortest, max_length=longest)
        inner = self._nested_numbers(items) if items.get("type") == "array" else None
        if inner is None or longest is not None or shortest > 1:
            return None
        return NonEmpty(inner) if shortest and not self._observed else spaces.Sequence(inner)


def _box(kind: str, schema: Mapping[str, Any], shape: tuple[int, ...]) -> spaces.Box:
    """Return the Box of numbers with the bounds that a schema has, which can be sampled."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if kind == "integer":
        if "exclusiveMinimum" in schema:
            low = math.floor(schema["exclusiveMinimum"]) + 1
        if "exclusiveMaximum" in schema:
            high = math.ceil(schema["exclusiveMaximum"]) - 1
        lowest: Any = -np.inf if low is None or low <= _LOWEST else math.ceil(low)
        highest: Any = np.inf if high is None or high >= _HIGHEST else math.floor(high)
        return spaces.Box(lowest, highest, shape, np.int64)
    if "exclusiveMinimum" in schema:
        low = np.nextafter(schema["exclusiveMinimum"], np.inf)
    if "exclusiveMaximum" in schema:
        high = np.nextafter(schema["exclusiveMaximum"], -np.inf)
    if low is not None and high is not None:
        low, high = max(low, -_WIDEST), min(high, _WIDEST)
    return spaces.Box(
        -np.inf if low is None else low, np.inf if high is None else high, shape, np.float64
    )
