"""JSON schemas to Spaces: what is sampled fits the schema, and what fits comes back as it was."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import jsonschema
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, OneOf, Sequence, Space
from hypothesis import assume, given
from hypothesis import strategies as st

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.derive import Spaced
from openenv_gym.spaces.describe import describe, parse
from openenv_gym.spaces.json.read_schema import SchemaReader
from openenv_gym.spaces.json.samples import MISSING, infer_schema
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.utf8 import Utf8

Schema = dict[str, Any]


def read(
    schema: Any, sample: Any = MISSING, *, observed: bool = False, **settings: Any
) -> tuple[Spaced, SchemaReader]:
    definitions = schema if isinstance(schema, dict) else {}
    reader = SchemaReader(definitions, observed=observed, **settings)
    return reader.read(schema, "x", sample), reader


def space_of(schema: Any, sample: Any = MISSING, **settings: Any) -> Space[Any]:
    spaced, reader = read(schema, sample, **settings)
    assert reader.problems == []
    return spaced.space


# Schemas as Pydantic writes them, with bounds.

integers = st.tuples(st.integers(-(2**40), 2**40), st.integers(0, 2**40)).flatmap(
    lambda reported: st.sampled_from(
        [
            {"type": "integer", "minimum": reported[0], "maximum": reported[0] + reported[1]},
            {
                "type": "integer",
                "exclusiveMinimum": reported[0] - 1,
                "maximum": reported[0] + reported[1],
            },
            {
                "type": "integer",
                "minimum": reported[0],
                "exclusiveMaximum": reported[0] + reported[1] + 1,
            },
        ]
    )
)
numbers = st.tuples(st.floats(-1e9, 1e9), st.floats(1e-3, 1e9)).map(
    lambda reported: {
        "type": "number",
        "minimum": reported[0],
        "maximum": reported[0] + reported[1],
    }
)
texts = st.tuples(st.integers(0, 5), st.integers(0, 20)).map(
    lambda reported: {
        "type": "string",
        "minLength": reported[0],
        "maxLength": reported[0] + reported[1],
    }
)
values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
choices = st.lists(values, min_size=1, max_size=5, unique_by=json.dumps).map(
    lambda reported: {"enum": reported}
)
constants = values.map(lambda reported: {"const": reported})
leaves: st.SearchStrategy[Schema] = st.one_of(
    integers, numbers, texts, choices, constants, st.just({"type": "boolean"})
)
names = st.text("abcdefgh_", min_size=1, max_size=6)


def _nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    def array(reported: tuple[Schema, int, int]) -> Schema:
        item, shortest, more = reported
        return {"type": "array", "items": item, "minItems": shortest, "maxItems": shortest + more}

    def items(kinds: list[Schema]) -> Schema:
        count = len(kinds)
        return {"type": "array", "prefixItems": kinds, "minItems": count, "maxItems": count}

    def fields(properties: dict[str, Schema]) -> Schema:
        required = list(properties)
        return {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        }

    return st.one_of(
        st.tuples(inner, st.integers(0, 3), st.integers(0, 2)).map(array),
        inner.map(lambda item: {"type": "array", "items": item}),
        st.lists(inner, min_size=1, max_size=3).map(items),
        st.dictionaries(names, inner, min_size=1, max_size=3).map(fields),
        inner.map(lambda kind: {"anyOf": [kind, {"type": "null"}]}),
        st.lists(inner, min_size=2, max_size=3).map(lambda kinds: {"anyOf": kinds}),
    )


schemas = st.recursive(leaves, _nested, max_leaves=6)


@given(schemas, st.integers(0, 2**31), st.booleans())
def test_a_sample_fits_the_schema(schema: Schema, seed: int, observed: bool) -> None:
    spaced, reader = read(schema, observed=observed)
    assert reader.problems == []
    assert set(reader.sources.values()) <= {"schema"}
    spaced.space.seed(seed)
    sample = spaced.space.sample()
    data = spaced.converter.from_space(sample)
    assume(not observed or _short(data))  # a Sequence knows no longest
    jsonschema.validate(data, schema)
    wire = json.loads(json.dumps(data))
    back = spaced.converter.to_space(wire)
    assert spaced.space.contains(back)
    assert spaced.converter.from_space(back) == wire
    assert parse(describe(spaced.space)) == spaced.space


def _short(data: Any) -> bool:
    try:
        jsonschema.validate(data, {"maxItems": 0})
    except jsonschema.ValidationError:
        return False
    return not isinstance(data, dict) or all(map(_short, data.values()))


anything = st.recursive(
    values, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)


@given(schemas, anything)
def test_a_value_is_in_the_space_or_an_error(schema: Schema, value: Any) -> None:
    spaced, _ = read(schema, observed=True)
    found: Any = MISSING
    with suppress(SpaceError):
        found = spaced.converter.to_space(value)
    assert found is MISSING or _holds(spaced, value, found)


def _holds(spaced: Spaced, value: Any, found: Any) -> bool:
    # No Box holds the NaN that null stands for.
    nan = "Box" in repr(spaced.space) and "null" in json.dumps(value)
    return nan or spaced.space.contains(found)


@given(anything)
def test_no_schema_breaks_the_reader(schema: Any) -> None:
    spaced, reader = read(schema, schema)
    assert reader.problems or isinstance(spaced.space, Space)


@given(anything)
def test_what_is_inferred_of_a_value_fits_it(value: Any) -> None:
    spaced, reader = read(infer_schema(value), value, observed=True)
    if not reader.problems:
        assert _holds(spaced, value, spaced.converter.to_space(value))


@pytest.mark.parametrize(
    ("schema", "space"),
    [
        ({"type": "integer", "minimum": 0, "maximum": 6}, Discrete(7)),
        ({"type": "integer", "exclusiveMinimum": -2, "exclusiveMaximum": 2}, Discrete(3, start=-1)),
        ({"type": "number", "minimum": -1, "maximum": 1}, Box(-1, 1, (1,), np.float64)),
        ({"type": "boolean"}, Discrete(2)),
        ({"enum": ["UP", "DOWN"]}, Discrete(2)),
        ({"const": "call_tool"}, Discrete(1)),
        ({"type": "string", "maxLength": 9}, Utf8(9)),
        ({"anyOf": [{"type": "boolean"}, {"type": "null"}]}, OneOf([Discrete(1), Discrete(2)])),
        ({"type": ["boolean", "null"]}, OneOf([Discrete(1), Discrete(2)])),
        ({"allOf": [{"enum": [1, 2]}], "title": "T"}, Discrete(2)),
        (
            {"type": "array", "items": {"type": "boolean"}, "minItems": 4, "maxItems": 4},
            MultiBinary(4),
        ),
        (
            {
                "type": "array",
                "items": {"type": "integer", "minimum": 1, "maximum": 3},
                "minItems": 2,
                "maxItems": 2,
            },
            MultiDiscrete([3, 3], start=[1, 1]),
        ),
        ({"type": "array", "items": {"enum": ["a", "b"]}}, Sequence(Discrete(2))),
        ({"type": "array", "items": {"enum": [1, 2]}, "minItems": 1}, NonEmpty(Discrete(2))),
    ],
)
def test_spaces(schema: Schema, space: Space[Any]) -> None:
    assert space_of(schema) == space


def test_a_grid_is_an_array() -> None:
    row = {
        "type": "array",
        "items": {"type": "integer", "minimum": -1, "maximum": 1},
        "minItems": 7,
        "maxItems": 7,
    }
    grid = {"type": "array", "items": row, "minItems": 6, "maxItems": 6}
    assert space_of(grid) == Box(-1, 1, (6, 7), np.int64)


def test_references_and_nested_objects() -> None:
    schema = {
        "$defs": {
            "Point": {
                "type": "object",
                "properties": {"x": {"$ref": "#/$defs/Side"}, "on": {"type": "boolean"}},
            },
            "Side": {"type": "integer", "minimum": 0, "maximum": 4},
        },
        "$ref": "#/$defs/Point",
    }
    spaced, reader = read(schema)
    assert spaced.space == Dict([("x", Discrete(5)), ("on", Discrete(2))])
    assert reader.sources == {"x.x": "schema", "x.on": "schema"}


def test_what_an_object_leaves_out() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 0, "maximum": 4, "default": 3},
            "m": {"type": "integer", "minimum": 0, "maximum": 4},
        },
    }
    to_space = read(schema, observed=True)[0].converter.to_space
    assert to_space({"m": 1}) == {"n": 3, "m": 1}
    with pytest.raises(SpaceError, match=r"x\.m is missing"):
        to_space({"n": 1})
    with pytest.raises(SpaceError, match=r"x\.o is not in its Space"):
        to_space({"m": 1, "o": 1})


class TestProblems:
    @pytest.mark.parametrize(
        ("schema", "reason", "kind"),
        [
            ({"type": "integer"}, "an integer without bounds", "Discrete"),
            ({"type": "integer", "minimum": 5, "maximum": 4}, "not possible", "Discrete"),
            ({"type": "integer", "minimum": 0, "maximum": 2**70}, "not possible", "Discrete"),
            ({"type": "number"}, "a number without bounds", "Box"),
            ({"type": "number", "minimum": -1.7e308, "maximum": 1.7e308}, "a number", "Box"),
            ({"type": "string"}, "a text without maxLength", "Utf8"),
            ({"type": "string", "maxLength": 5, "pattern": r"\pL"}, "constraint pattern", ...),
            ({"type": "object"}, "an object with any fields", ...),
            ({"type": "array", "items": {"type": "integer"}}, "of an unknown shape", "Box"),
            ({"type": "array", "items": {"type": "boolean"}, "minItems": 2}, "2 or more", ...),
            ({"$ref": "#/$defs/Nowhere"}, "an invalid schema", ...),
            ({"$ref": "#"}, "nested in itself", ...),
            ({"type": "no such"}, "an invalid schema", ...),
            ({}, "of any type", ...),
            (False, "an invalid schema", ...),
            ({"enum": []}, "without values", ...),
            (
                {
                    "type": "array",
                    "items": {"type": "boolean"},
                    "minItems": 10**15,
                    "maxItems": 10**15,
                },
                "items",
                ...,
            ),
        ],
    )
    def test_told(self, schema: Any, reason: str, kind: Any) -> None:
        _, reader = read(schema)
        (problem,) = reader.problems
        assert problem.place == "x"
        assert reason in problem.reason
        assert problem.advice["type"] == kind

    def test_all_are_told(self) -> None:
        schema = {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "boolean"},
                "c": {"type": "object", "properties": {"d": {"type": "integer"}}},
            },
        }
        assert [problem.place for problem in read(schema)[1].problems] == ["x.a", "x.c.d"]

    def test_what_is_observed_need_not_be_sampled(self) -> None:
        text = {"type": "string", "maxLength": 5, "pattern": "a*"}
        assert space_of(text, observed=True) == Utf8(5)
        assert space_of({"type": "number"}, observed=True) == Box(-np.inf, np.inf, (1,), np.float64)


FLOATS = {"type": "array", "items": {"type": "number"}}
INTEGERS = {"type": "array", "items": {"type": "integer"}}


class TestProbe:
    def test_floats_take_the_shape_of_the_sample(self) -> None:
        spaced, reader = read(FLOATS, [0.0, 1.5, 2.0], observed=True)
        assert spaced.space == Box(-np.inf, np.inf, (3,), np.float64)
        assert reader.sources == {"x": "probe"}

    def test_a_flat_picture_takes_the_shape_told(self) -> None:
        sample = [0, 255] * 12
        spaced, reader = read(INTEGERS, sample, observed=True, shapes={"x": (2, 4, 3)})
        assert spaced.space == Box(0, 255, (2, 4, 3), np.uint8)
        assert reader.sources == {"x": "probe"}
        picture = spaced.converter.to_space(sample)
        assert (picture.shape, picture.dtype) == ((2, 4, 3), np.uint8)
        with pytest.raises(SpaceError, match=r"x\[0, 0, 0\] is 256"):
            spaced.converter.to_space([256] * 24)

    def test_a_nested_picture(self) -> None:
        schema = {"type": "array", "items": {"type": "array", "items": INTEGERS}}
        sample = np.zeros((4, 5, 3), int).tolist()
        assert space_of(schema, sample, observed=True) == Box(0, 255, (4, 5, 3), np.uint8)

    def test_integers_have_no_bounds_but_a_shape(self) -> None:
        schema = {"type": "array", "items": INTEGERS}
        _, reader = read(schema, [[0, 1, -1], [0, 0, 0]], observed=True)
        (problem,) = reader.problems
        assert problem.advice["shape"] == [2, 3]

    def test_keys_of_an_object(self) -> None:
        schema = {"type": "object", "additionalProperties": FLOATS}
        sample = {"position": [0.5], "velocity": [0.1, 0.2]}
        space = space_of(schema, sample, observed=True)
        assert isinstance(space, Dict)
        assert space["velocity"].shape == (2,)

    def test_no_schema_at_all(self) -> None:
        spaced, reader = read(True, {"on": True, "at": [0.5]}, observed=True)
        assert spaced.space == Dict(
            [("on", Discrete(2)), ("at", Box(-np.inf, np.inf, (1,), np.float64))]
        )
        assert reader.sources == {"x.on": "probe", "x.at": "probe"}


class TestGiven:
    def test_given_is_asked_first(self) -> None:
        spaced, reader = read({"type": "string"}, given={"x": Utf8(7)})
        assert spaced.space == Utf8(7)
        assert reader.problems == []
        assert reader.sources == {"x": "given"}

    def test_of_what_may_be_null(self) -> None:
        schema = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
        spaced, _ = read(schema, given={"x": Discrete(4)})
        assert spaced.space == OneOf([Discrete(1), Discrete(4)])
        assert spaced.converter.to_space(None) == (0, 0)
        assert spaced.converter.to_space(3) == (1, 3)

    def test_of_a_table(self) -> None:
        spaced, _ = read({"enum": ["a", "b"]}, given={"x": Discrete(2, start=1)})
        assert spaced.converter.from_space(2) == "b"

    def test_nested(self) -> None:
        schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
        space = space_of(schema, given={"x.n": Discrete(3)})
        assert space == Dict([("n", Discrete(3))])


def test_null_in_a_list_of_floats_is_nan() -> None:
    spaced, _ = read(FLOATS, [0.0, 1.0], observed=True)
    found = spaced.converter.to_space([None, 1.0])
    assert np.isnan(found[0])
    assert found[1] == 1.0


@pytest.mark.parametrize(
    ("space", "value", "why"),
    [
        (Box(-1, 1, (2,), np.int8), [0, 300], r"x\[1\] is 300"),
        (Box(-1, 1, (2,), np.int8), [0, 0.5], "not integers"),
        (Box(-1, 1, (2,), np.int8), [[0], [1, 2]], "does not fit in an array"),
        (Box(-1, 1, (2,), np.int8), "ab", "not integers"),
        (Box(-1, 1, (2,), np.float32), ["a", "b"], "not numbers"),
        (Box(-1, 1, (2,), np.float32), [0.0, 1.5], r"x\[1\] is 1.5"),
        (Box(-np.inf, np.inf, (1,), np.float32), [1e300], "does not fit in an array"),
        (Box(-1, 1, (2,), np.float32), [0.0], r"shape \(1,\)"),
        (Discrete(3), 3, "not an integer of 0 to 2"),
        (Discrete(3), True, "not an integer"),
        (Discrete(3), "1", "not an integer"),
        (Utf8(2), "abc", "3 characters"),
        (Utf8(2), 5, "not a text"),
        (MultiBinary(2), [0, 2], r"x\[1\] is 2"),
        (Dict({"a": Discrete(2)}), [], "not an object"),
        (Sequence(Discrete(2)), {}, "not a list"),
        (OneOf([Discrete(1), Discrete(2)]), 5, "not null"),
    ],
)
def test_a_value_that_does_not_fit(space: Space[Any], value: Any, why: str) -> None:
    spaced, _ = read(True, given={"x": space})
    with pytest.raises(SpaceError, match=why):
        spaced.converter.to_space(value)


def test_null_is_itself_where_a_part_has_it_and_not_a_number() -> None:
    schema = {"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"enum": [None]}]}
    spaced, _ = read(schema)
    assert spaced.converter.to_space(None) == (1, 0)
    assert spaced.converter.from_space((1, 0)) is None
