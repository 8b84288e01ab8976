"""JsonText and Numbers: the Spaces of what nobody bounds."""

from __future__ import annotations

import json
import warnings
from typing import Any

import jsonschema
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, OneOf
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from openenv_gym.errors import SpaceError
from openenv_gym.models import Observation
from openenv_gym.server.openenv_protocol.schemas import observation_schema
from openenv_gym.spaces.convert import converter
from openenv_gym.spaces.derive import derive
from openenv_gym.spaces.json.read_schema import SchemaReader
from openenv_gym.spaces.json_text import JsonText, dump, load
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

TREE = {
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": 3},
                "next": {"anyOf": [{"$ref": "#/$defs/Node"}, {"type": "null"}]},
            },
            "required": ["name", "next"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/Node",
}

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2},
        {"type": ["integer", "null"], "minimum": 5},
        {"type": "integer", "exclusiveMinimum": 7, "exclusiveMaximum": 9},
        {"type": "number", "minimum": 1, "maximum": 2},
        {
            "type": "object",
            "properties": {"a": {"type": "boolean"}, "b": {"const": 7}},
            "required": ["b"],
            "additionalProperties": False,
        },
        TREE,
    ],
    ids=str,
)
def test_samples_keep_the_schema(schema: dict[str, Any]) -> None:
    space = JsonText(schema)
    space.seed(1)
    for _ in range(100):
        text = space.sample()
        jsonschema.validate(json.loads(text), schema)
        assert space.contains(text)


@given(values)
def test_every_value_is_a_text_and_back(value: Any) -> None:
    text = dump(value)
    assert load(text) == value
    assert JsonText(max_length=10**6).contains(text)


def test_what_is_not_json_is_not_contained() -> None:
    space = JsonText({"type": "object"}, max_length=20)
    for wrong in ("", "{", "[]", "NaN", '{"a": NaN}', '{"a": "a long text here"}', 7, None):
        assert not space.contains(wrong)
    assert not JsonText().contains("[" * 20_000)
    assert space.contains('{"a": 1}')
    assert dump([float("nan"), float("inf")]) == "[null,null]"
    assert JsonText().contains(dump("\ud800")), "half of a surrogate pair"


def test_it_is_another_space_than_a_text() -> None:
    assert JsonText(max_length=9) != Utf8(9, min_length=1)
    assert Utf8(9, min_length=1) != JsonText(max_length=9)
    assert JsonText({"type": "object"}) != JsonText()


def test_numbers() -> None:
    space = Numbers(Box(0, 9, (), np.int64), min_length=1, max_length=3)
    space.seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # gymnasium's Sequence warns about each number
        samples = [space.sample() for _ in range(50)]
        assert all(map(space.contains, samples))
    assert {len(sample) for sample in samples} == {1, 2, 3}
    for wrong in ([1], (1,), np.array([], np.int64), np.arange(4), np.array([10]), np.array([0.5])):
        assert not space.contains(wrong)
    assert len(space.sample(mask=(2, None))) == 2
    for item, lengths in (
        (Box(0, 9, (1,)), {}),
        (Discrete(3), {}),
        (Box(0, 9, ()), {"min_length": 2, "max_length": 1}),
    ):
        with pytest.raises(ValueError, match="Numbers"):
            Numbers(item, **lengths)  # type: ignore[arg-type]


class TestFields:
    """What fields of models are in these Spaces."""

    def test_json(self) -> None:
        for annotation in (Any, dict[str, Any], dict[str, int]):
            convert = converter(JsonText({"type": "object"}), annotation, "x")
            assert convert.to_space({"a": [1, None]}) == '{"a":[1,null]}'
            assert convert.from_space('{"a": 1}') == {"a": 1}
        with pytest.raises(SpaceError, match="x does not fit"):
            convert.to_space([1])

    def test_numbers(self) -> None:
        space = Numbers(Box(-np.inf, np.inf, (), np.int64))
        convert = converter(space, list[int], "x")
        assert convert.to_space([]).shape == (0,)
        assert convert.to_space([3, 4]).tolist() == [3, 4]
        assert convert.from_space(np.array([3, 4])) == [3, 4]
        for wrong in ([[1]], ["a"], [2**70], None):
            with pytest.raises(SpaceError, match="x does not fit"):
                convert.to_space(wrong)

    def test_a_single_number(self) -> None:
        whole = converter(Box(-np.inf, np.inf, (1,), np.int64), int, "x")
        assert whole.to_space(3).tolist() == [3]
        assert whole.from_space(np.array([3])) == 3
        assert type(whole.from_space(np.array([3]))) is int
        with pytest.raises(SpaceError, match="x does not fit"):
            whole.to_space(2**70)
        assert converter(Box(0, 1, (1,)), float, "x").from_space(np.array([0.5])) == 0.5

    def test_what_may_be_none(self) -> None:
        convert = converter(OneOf([Discrete(1), Discrete(5)]), int | None, "x")
        assert convert.to_space(None) == (0, 0)
        assert convert.to_space(3) == (1, 3)
        assert convert.from_space((0, 0)) is None
        value = convert.from_space((np.int64(1), np.int64(3)))
        assert (value, type(value)) == (3, int)

    def test_one_of_several_types(self) -> None:
        space = OneOf([Discrete(1), Box(-np.inf, np.inf, (1,), np.int64), Utf8(5)])
        convert = converter(space, int | str | None, "x")
        for value in (None, 7, "seven"):
            there = convert.to_space(value)
            assert space.contains(there)
            assert convert.from_space(there) == value
        with pytest.raises(SpaceError, match="x is in none"):
            convert.to_space("too long")


def test_a_field_of_one_float_is_what_trainers_take() -> None:
    """A Box of the shape () makes networks without an input."""

    class Seen(Observation):
        heat: float = Field(0.0, ge=0, le=1)

    seen = derive(Seen)
    assert seen.space == Box(0, 1, (1,), np.float64)
    assert seen.to_space(Seen(heat=0.5)).tolist() == [0.5]
    assert seen.from_space(np.array([0.5])) == {"heat": 0.5}
    assert observation_schema(seen, ())["properties"]["heat"]["type"] == "number"
    reader = SchemaReader({}, observed=False)
    read = reader.read({"type": "number", "minimum": 0, "maximum": 1}, "x")
    assert (read.space, read.converter.from_space(np.array([0.5]))) == (seen.space, 0.5)
