"""JSON schemas to Spaces, for servers that are not ours.

:class:`SchemaReader` reads a schema (the part of JSON Schema 2020-12 that Pydantic writes) as
:mod:`openenv_gym.spaces.derive` reads a model: bounds make Discrete and Box, enums Discrete, lists
of one length arrays, ``maxLength`` Utf8, objects Dict. Where the schema leaves a fact open (the
length of a list, the keys of an object), a sample of the data may show it. All facts that neither
shows are collected in :attr:`SchemaReader.problems`, for one error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space

from openenv_gym.spaces.convert import IDENTITY, Converter, one_number
from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.json import samples
from openenv_gym.spaces.json import values as jsonvalues
from openenv_gym.spaces.json.samples import MISSING
from openenv_gym.spaces.json.values import list_of
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.pattern_text import FORMATS, PatternText
from openenv_gym.spaces.utf8 import Utf8

_MOST_ITEMS = 1 << 26  # items of a list of one length
_MOST_LENGTHS = 64  # lengths of a list in an action, each of which is a Space
_LONGEST_CHAIN = 8  # references to references
_MOST_PARTS = 2048  # schemas in all fields of a model; a few nested references may make billions
_TOO_WIDE = 2**63  # values of a Discrete
_WIDEST = 1e308  # bound of a Box that can be sampled

# Constraints that samples of Spaces do not satisfy. Samples of observations are never sent, so they
# do not matter there.
_UNKEPT = (
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "contains",
    "not",
    "if",
    "patternProperties",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
    "dependentSchemas",
)


_ANY: dict[str, Any] = {"type": ...}
_BOUNDED: dict[str, Any] = {"type": "Box", "low": ..., "high": ..., "shape": [1]}
_BOUNDED_INTEGER: dict[str, Any] = {"type": "Discrete", "n": ...}
_BOUNDED_TEXT: dict[str, Any] = {"type": "Utf8", "max_length": ...}


class Problem(NamedTuple):
    """A field without a Space.

    Attributes:
        place: The field.
        reason: The reason, as a noun phrase that describes the field.
        advice: Description of a possible Space, with ``...`` for values that only the user knows.
    """

    place: str
    reason: str
    advice: dict[str, Any]


class SchemaReader:
    """Reads the schemas of one model, field by field.

    Args:
        definitions: The schema into which each ``$ref`` points.
        observed: Whether the model is an observation, so that a float without bounds may have any
            size, and constraints that samples do not satisfy do not matter.
        given: Spaces that the caller gives, by place, which replace those of the schema.
        shapes: Shapes of lists that arrive flat, by place.

    Attributes:
        problems: Fields without a Space.
        sources: Where the bounds of each leaf came from: ``"schema"``, ``"probe"``, ``"given"``.
    """

    smallest_picture: ClassVar[int] = 1
    """Pixels of a side below which integers without bounds are not a picture."""

    def __init__(
        self,
        definitions: Mapping[str, Any],
        *,
        observed: bool,
        given: Mapping[str, Space[Any]] | None = None,
        shapes: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self._definitions = definitions
        self._observed = observed
        self._given = given or {}
        self._shapes = shapes or {}
        self._following: list[str] = []
        self._parts = 0
        self._readers: Mapping[str, Callable[[dict[str, Any], str, Any], Spaced]] = {
            "null": self._null,
            "boolean": self._boolean,
            "integer": self._integer,
            "number": self._number,
            "string": self._string,
            "object": self._object,
            "array": self._array,
        }
        self.problems: list[Problem] = []
        self.sources: dict[str, str] = {}

    def read(self, schema: Any, place: str, sample: Any = MISSING) -> Spaced:
        """Return the Space of a schema, and the converter of values of JSON.

        Args:
            schema: The schema.
            place: The field, such as ``"observation.board"``.
            sample: A value of the field.

        Returns:
            The Space, which can be used only if :attr:`problems` is empty.
        """
        try:
            return self._read(schema, place, sample)
        # Invalid schemas and gymnasium's constructors raise these.
        except (
            LookupError,
            TypeError,
            ValueError,
            ArithmeticError,
            AssertionError,
            AttributeError,
            MemoryError,
            RecursionError,
        ) as error:
            reason = f"a field with an invalid schema ({type(error).__name__}: {error})"
            return self._problem(place, reason, _ANY)

    def _read(self, schema: Any, place: str, sample: Any = MISSING) -> Spaced:
        self._count_part()
        given = self._given.get(place)
        if given is not None and (isinstance(given, spaces.OneOf) or not self._nullable(schema)):
            return self._use_given(schema, given, place)
        if schema is True:
            return self._untyped(place, sample)
        if "$ref" in schema:
            return self._follow(schema, place, sample)
        if not self._observed and self.unkept(schema) is not None:
            return self._constrained(schema, place)
        if "const" in schema:
            return self._choice([schema["const"]], place)
        if "enum" in schema:
            return self._choice(schema["enum"], place)
        for name in ("anyOf", "oneOf"):
            if name in schema:
                return self._any_of(schema[name], _without(schema, name), place, sample)
        if "allOf" in schema:
            return self._all_of(schema, place, sample)
        kind = schema.get("type")
        if isinstance(kind, list):
            return self._any_of([{"type": one} for one in kind], schema, place, sample)
        if kind is None:
            return self._untyped(place, sample)
        return self._readers[kind](schema, place, sample)

    def _count_part(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise ValueError(f"with the other fields it has more than {_MOST_PARTS} parts")

    def _constrained(self, schema: dict[str, Any], place: str) -> Spaced:
        text = self._text(schema, schema.get("maxLength"))
        if text is not None:
            return self._leaf(text, place)
        constraint = self.unkept(schema)
        reason = f"a field with the constraint {constraint}, which samples do not satisfy"
        return self._problem(place, reason, _ANY)

    @staticmethod
    def unkept(schema: Mapping[str, Any]) -> str | None:
        """Return a constraint that samples of Spaces do not satisfy; None if there is none."""
        return next((name for name in _UNKEPT if schema.get(name)), None)

    def _problem(self, place: str, reason: str, advice: dict[str, Any]) -> Spaced:
        """Record a problem and return a placeholder, to find further problems."""
        self.problems.append(Problem(place, reason, advice))
        return Spaced(spaces.Discrete(1), IDENTITY)

    def _leaf(
        self,
        space: Space[Any],
        place: str,
        converter: Converter | None = None,
        source: str = "schema",
    ) -> Spaced:
        self.sources[place] = source
        return Spaced(space, converter or jsonvalues.json_values(space, place))

    def _use_given(self, schema: Any, space: Space[Any], place: str) -> Spaced:
        resolved = self._resolve(schema)
        values, converter = resolved.get("enum"), jsonvalues.json_values(space, place)
        if isinstance(space, spaces.Discrete):
            if isinstance(values, list) and len(values) == space.n:
                converter = jsonvalues.choice(values, int(space.start), place)
            elif resolved.get("type") == "boolean":
                converter = jsonvalues.boolean(place)
        elif isinstance(space, spaces.Box) and resolved.get("type") in ("integer", "number"):
            converter = Converter(converter.to_space, one_number)
        return self._leaf(space, place, converter, "given")

    def _choice(self, values: list[Any], place: str) -> Spaced:
        if not values:
            return self._problem(place, "an enum without values", _ANY)
        converter = jsonvalues.choice(values, 0, place)
        return self._leaf(spaces.Discrete(len(values)), place, converter)

    def _resolve(self, schema: Any) -> dict[str, Any]:
        """Return the schema to which a reference points."""
        for _ in range(_LONGEST_CHAIN):
            if not isinstance(schema, dict) or "$ref" not in schema:
                break
            schema = self._target(schema["$ref"])
        return schema if isinstance(schema, dict) else {}

    def _nullable(self, schema: Any) -> bool:
        """Return whether a schema is null or one other, whose Space the caller would give."""
        kinds = self._resolve(schema).get("anyOf", ())
        return len(kinds) == 2 and {"type": "null"} in kinds

    def _target(self, reference: str) -> Any:
        """Return the target of a reference within the schema."""
        found: Any = self._definitions
        for part in reference.removeprefix("#").split("/")[1:]:
            found = found[part.replace("~1", "/").replace("~0", "~")]
        return found

    def _follow(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        reference = schema["$ref"]
        if reference in self._following:
            return self._problem(place, "an object that is nested in itself", _ANY)
        self._following.append(reference)
        try:
            merged = {**self._target(reference), **_without(schema, "$ref")}
            return self._read(merged, place, sample)
        finally:
            self._following.pop()

    def _untyped(self, place: str, sample: Any) -> Spaced:
        if sample is MISSING or sample is None:
            return self._problem(place, "a value of any type", _ANY)
        known = set(self.sources)
        spaced = self._read(samples.infer_schema(sample), place, sample)
        self.sources |= dict.fromkeys(self.sources.keys() - known, "probe")
        return spaced

    def _any_of(
        self, options: list[Any], beside: dict[str, Any], place: str, sample: Any
    ) -> Spaced:
        """Read a union. null comes first, as it does for ``X | None`` in a model."""
        kinds = [{**_without(beside, "type", "default"), **option} for option in options]
        kinds.sort(key=lambda kind: kind.get("type") != "null")
        nullable = kinds[0].get("type") == "null"
        if len(kinds) == 1:
            return self._read(kinds[0], place, sample)
        parts = []
        for number, kind in enumerate(kinds):
            # If null is the only alternative, the caller gives one Space.
            where = place if nullable and len(kinds) == 2 else f"{place}({number})"
            if nullable and number == 0:
                parts.append(Spaced(spaces.Discrete(1), jsonvalues.nothing(place)))
            else:
                parts.append(self._read(kind, where, MISSING if sample is None else sample))
        converter = jsonvalues.alternatives([part.converter for part in parts], place)
        return Spaced(spaces.OneOf([part.space for part in parts]), converter)

    def _all_of(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        merged = _without(schema, "allOf")
        for part in schema["allOf"]:
            resolved = {**self._resolve(part), **_without(part, "$ref")}
            if any(merged.get(name, value) != value for name, value in resolved.items()):
                return self._problem(place, "a value of several schemas at once", _ANY)
            merged |= resolved
        return self._read(merged, place, sample)

    def _null(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        return self._leaf(spaces.Discrete(1), place, jsonvalues.nothing(place))

    def _boolean(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        return self._leaf(spaces.Discrete(2), place, jsonvalues.boolean(place))

    def _integer(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        low, high = schema.get("minimum"), schema.get("maximum")
        if "exclusiveMinimum" in schema:
            low = math.floor(schema["exclusiveMinimum"]) + 1
        if "exclusiveMaximum" in schema:
            high = math.ceil(schema["exclusiveMaximum"]) - 1
        if low is None or high is None:
            return self._problem(place, "an integer without bounds", _BOUNDED_INTEGER)
        start, size = math.ceil(low), math.floor(high) - math.ceil(low) + 1
        if not 1 <= size < _TOO_WIDE or not -_TOO_WIDE <= start < _TOO_WIDE - size:
            reason = (
                f"an integer of {start} to {start + size - 1}, for which Discrete is not possible"
            )
            return self._problem(place, reason, _BOUNDED_INTEGER)
        return self._leaf(spaces.Discrete(size, start=start), place)

    def _number(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        low, high = schema.get("minimum"), schema.get("maximum")
        if "exclusiveMinimum" in schema:
            low = np.nextafter(schema["exclusiveMinimum"], np.inf)
        if "exclusiveMaximum" in schema:
            high = np.nextafter(schema["exclusiveMaximum"], -np.inf)
        if self._observed:
            low, high = -np.inf if low is None else low, np.inf if high is None else high
        elif low is None or high is None or not low <= high < low + _WIDEST:
            return self._problem(place, "a number without bounds for sampling", _BOUNDED)
        space = spaces.Box(low, high, (1,), np.float64)
        return self._leaf(space, place, jsonvalues.single(space, place))

    def _string(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        text = self._text(schema, schema.get("maxLength"))
        if text is None:
            return self._problem(place, "a text without maxLength", _BOUNDED_TEXT)
        return self._leaf(text, place)

    def _text(self, schema: Mapping[str, Any], longest: int | None) -> Space[Any] | None:
        """Return the Space of texts up to a length, or None if there is none.

        Samples of an action match the schema's ``pattern``, or look as its ``format`` says.
        """
        unkept = {name for name in _UNKEPT if schema.get(name)} - {"pattern", "format"}
        if longest is None or schema.get("type") != "string" or (unkept and not self._observed):
            return None
        shortest, pattern = int(schema.get("minLength", 0)), schema.get("pattern")
        like = pattern or FORMATS.get(schema.get("format", ""))
        longest = max(int(longest), shortest)
        if self._observed or not (like or schema.get("format")):
            return Utf8(longest, min_length=shortest)
        if like is None:
            return None
        try:
            return PatternText(like, longest, min_length=shortest, only_samples=not pattern)
        except ValueError:  # samples cannot be made
            return None

    def _object(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        properties: dict[str, Any] = schema.get("properties") or {}
        others = schema.get("additionalProperties", True)
        known = sample if isinstance(sample, dict) else {}
        if not properties and others is not False:
            properties = dict.fromkeys(known, others)
        if not properties:
            return self._problem(place, "an object with any fields, or none", _ANY)
        parts = {
            name: self._read(part, f"{place}.{name}", known.get(name, MISSING))
            for name, part in properties.items()
        }
        space = spaces.Dict([(name, part.space) for name, part in parts.items()])
        converters = {name: part.converter for name, part in parts.items()}
        return Spaced(space, jsonvalues.fields(converters, place, jsonvalues.defaults(properties)))

    def _array(self, schema: dict[str, Any], place: str, sample: Any) -> Spaced:
        if "prefixItems" in schema:
            return self._tuple(schema, place)
        kind, fixed = self._unbounded(schema)
        if kind == "integer" or (kind == "number" and not (fixed and self._observed)):
            return self._numbers(kind, place, sample)
        if not schema.get("items"):
            return self._problem(place, "a list of anything", _ANY)
        part = self._read(schema["items"], f"{place}[]", samples.first(sample))
        if f"{place}[]" in self.sources:
            self.sources[place] = self.sources.pop(f"{place}[]")
        return self._of_length(part, schema.get("minItems", 0), schema.get("maxItems"), place)

    def _unbounded(self, schema: dict[str, Any]) -> tuple[str, bool]:
        """Return ``"integer"`` or ``"number"`` if the items of a list are such without bounds.

        Returns:
            The kind of the items, and whether the schema has the lengths of all nested lists.
        """
        fixed = True
        while schema.get("type") == "array" and "prefixItems" not in schema:
            fixed = fixed and schema.get("minItems", 0) == schema.get("maxItems")
            schema = self._resolve(schema.get("items"))
        low = "minimum" in schema or "exclusiveMinimum" in schema
        high = "maximum" in schema or "exclusiveMaximum" in schema
        bounded = (low and high) or "enum" in schema or "const" in schema
        return "" if bounded else str(schema.get("type")), fixed

    def _numbers(self, kind: str, place: str, sample: Any) -> Spaced:
        """Read a (nested) list of numbers without bounds, whose shape the sample shows."""
        array = samples.numbers(sample)
        given = self._shapes.get(place)
        if array is None:
            return self._problem(place, f"{kind}s without bounds, of an unknown shape", _BOUNDED)
        shape = array.shape if given is None or math.prod(given) != array.size else given
        picture = given == shape or (
            len(shape) == 3 and shape[2] in (3, 4) and min(shape[:2]) >= self.smallest_picture
        )
        space: Space[Any]
        if kind == "number" and self._observed:
            space = spaces.Box(-np.inf, np.inf, shape, np.float64)
        elif picture and array.min() >= 0 and array.max() <= 255:
            space = spaces.Box(0, 255, shape, np.uint8)
        else:
            advice = {**_BOUNDED, "shape": list(shape), "dtype": "int64"}
            return self._problem(place, f"{kind}s without bounds, of the shape {shape}", advice)
        return self._leaf(space, place, source="probe")

    def _tuple(self, schema: dict[str, Any], place: str) -> Spaced:
        kinds = schema["prefixItems"]
        if schema.get("items", schema.get("maxItems") != len(kinds)) not in (False, None):
            return self._problem(place, "a list of any length", _ANY)
        parts = [self._read(kind, f"{place}[{i}]") for i, kind in enumerate(kinds)]
        space = spaces.Tuple([part.space for part in parts])
        return Spaced(space, jsonvalues.items([part.converter for part in parts], place))

    def _of_length(self, part: Spaced, shortest: int, longest: int | None, place: str) -> Spaced:
        if longest is not None and not shortest <= longest <= _MOST_ITEMS:
            return self._problem(place, f"a list of {shortest} to {longest} items", _ANY)
        if shortest == longest and longest:
            return list_of(part, longest, place)
        if self._observed or (longest is None and shortest <= 1):
            most = math.inf if longest is None else longest
            fits: Callable[[int], bool] = lambda length: shortest <= length <= most  # noqa: E731
            converter = jsonvalues.repeated(part.converter, place, fits)
            kind = NonEmpty if shortest and not self._observed else spaces.Sequence
            return Spaced(kind(part.space), converter)
        if longest is None or longest - shortest >= _MOST_LENGTHS:
            return self._problem(place, f"a list of {shortest} or more items", _ANY)
        lists = [list_of(part, length, place) for length in range(shortest, longest + 1)]
        converter = jsonvalues.alternatives([one.converter for one in lists], place)
        return Spaced(spaces.OneOf([one.space for one in lists]), converter)


def _without(schema: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in schema.items() if name not in names}
