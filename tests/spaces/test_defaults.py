"""Defaults for what nobody bounds: they sample, come back as they were, and widen."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, OneOf, Sequence, Space
from hypothesis import given, settings
from hypothesis import strategies as st

from openenv_gym.errors import EnvironmentFailedError, OptionError, SpaceError
from openenv_gym.spaces.describe import describe, parse
from openenv_gym.spaces.guesses import guesses_text, requested_spaces
from openenv_gym.spaces.json.default_reader import DefaultReader
from openenv_gym.spaces.json.given import Given
from openenv_gym.spaces.json.read_environment import EnvironmentSpaces, read_environment
from openenv_gym.spaces.json.read_schema import SchemaReader
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

Schema = dict[str, Any]

INTEGER, NUMBER, TEXT = {"type": "integer"}, {"type": "number"}, {"type": "string"}
INT = Box(-np.inf, np.inf, (1,), np.int64)
FLOAT = Box(-np.inf, np.inf, (1,), np.float64)


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def model(**fields: Schema) -> Schema:
    return {"type": "object", "properties": fields}


@pytest.mark.parametrize(
    ("schema", "space"),
    [
        (TEXT, Utf8(65536)),
        ({**TEXT, "minLength": 2}, Utf8(65536, min_length=2)),
        (INTEGER, INT),
        ({**INTEGER, "minimum": 0}, Box(0, np.inf, (1,), np.int64)),
        ({**INTEGER, "minimum": 0, "maximum": 2**70}, Box(0, np.inf, (1,), np.int64)),
        (NUMBER, FLOAT),
        ({**NUMBER, "exclusiveMaximum": 0}, Box(-np.inf, -5e-324, (1,), np.float64)),
        (array(TEXT), Sequence(Utf8(65536))),
        (array(INTEGER), Numbers(Box(-np.inf, np.inf, (), np.int64))),
        (array(NUMBER, minItems=2), Numbers(Box(-np.inf, np.inf, (), np.float64), min_length=2)),
        (array(INTEGER, minItems=2, maxItems=2), Box(-np.inf, np.inf, (2,), np.int64)),
        (array(array(NUMBER)), Sequence(Numbers(Box(-np.inf, np.inf, (), np.float64)))),
        ({"type": "object"}, JsonText({"type": "object"})),
        ({"type": "object", "additionalProperties": True}, "JsonText(object, max_length=65536)"),
        ({}, JsonText()),
        (array({}), JsonText({"type": "array", "items": {}})),
        ({"anyOf": [TEXT, {"type": "null"}]}, OneOf([Discrete(1), Utf8(65536)])),
        ({"anyOf": [INTEGER, TEXT]}, OneOf([INT, Utf8(65536)])),
        (model(a=INTEGER, b=model(c=TEXT)), Dict(a=INT, b=Dict(c=Utf8(65536)))),
        ({"type": "no such"}, JsonText()),
    ],
)
@pytest.mark.parametrize("observed", [False, True])
def test_spaces(schema: Schema, space: Space[Any] | str, observed: bool) -> None:
    reader = DefaultReader(schema, observed=observed)
    found = reader.read(schema, "x").space
    assert str(found) == space if isinstance(space, str) else found == space
    assert reader.problems == []
    assert observed or "default" in reader.sources.values()
    assert parse(describe(found)) == found


unbounded = st.recursive(
    st.sampled_from([TEXT, INTEGER, NUMBER, {"type": "object"}, {"type": "boolean"}, {}])
    | st.integers(-9, 9).map(lambda low: {**INTEGER, "minimum": low})
    | st.integers(-9, 9).map(lambda high: {**NUMBER, "maximum": high}),
    lambda inner: st.one_of(
        inner.map(array),
        inner.map(lambda kind: {"anyOf": [kind, {"type": "null"}]}),
        st.lists(inner, min_size=2, max_size=2).map(lambda kinds: {"anyOf": kinds}),
        st.dictionaries(st.sampled_from("abc"), inner, min_size=1).map(
            lambda fields: {**model(**fields), "required": list(fields)}
        ),
    ),
    max_leaves=5,
)


@settings(max_examples=40)
@given(unbounded, st.integers(0, 2**31))
def test_samples_fit_the_schema_and_come_back(schema: Schema, seed: int) -> None:
    spaced = DefaultReader(schema, observed=False).read(schema, "x")
    spaced.space.seed(seed)
    for _ in range(3):
        sample = spaced.space.sample()
        assert spaced.space.contains(sample)
        data = json.loads(json.dumps(spaced.converter.from_space(sample)))
        jsonschema.validate(data, schema)
        back = spaced.converter.to_space(data)
        assert spaced.space.contains(back)
        assert spaced.converter.from_space(back) == data


def test_a_list_of_one_number_is_not_a_number() -> None:
    schema = {"anyOf": [INTEGER, array(INTEGER)]}
    converter = DefaultReader(schema, observed=False).read(schema, "x").converter
    for value in (0, [0], [0, 1]):
        assert converter.from_space(converter.to_space(value)) == value


def test_null_among_numbers_of_any_length_is_nan() -> None:
    spaced = DefaultReader(array(NUMBER), observed=True).read(array(NUMBER), "x")
    assert isinstance(spaced.space, Numbers)
    assert np.isnan(spaced.converter.to_space([None, None])).all()


plain = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text() | st.floats(-1e9, 1e9)
values = st.recursive(
    plain, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.sampled_from("abc"), v)
)


def read(observation: Schema, first: dict[str, Any], **spaces: Any) -> EnvironmentSpaces:
    action = model(a={**INTEGER, "minimum": 0, "maximum": 3})
    return read_environment(action, observation, Given(spaces=spaces), lambda: (first, {}), "here")


@settings(max_examples=40)
@given(unbounded, values, st.lists(values, max_size=4))
def test_no_later_value_is_an_error(schema: Schema, first: Any, later: list[Any]) -> None:
    """Where a guess is: what a schema bounds stays an error."""
    found = read(model(x={}, y=schema), {"x": first, "y": first})
    if "default" not in {v for k, v in found.sources.items() if k.startswith("observation.y")}:
        return
    for value in [first, *later]:
        seen = found.observe({"x": value, "y": value})
        assert found.widened <= 50
        text = json.dumps(seen, default=str)
        assert "nan" in text or found.observations.space.contains(seen)


@pytest.mark.parametrize(
    ("schema", "first", "later", "space"),
    [
        (array(INTEGER), [1, 2], [1, 2, 3], Numbers(Box(-np.inf, np.inf, (), np.int64))),
        (array(INTEGER), [1, 2], [1, 0.5], Box(-np.inf, np.inf, (2,), np.float64)),
        (array(INTEGER), [1, 2], [], Numbers(Box(-np.inf, np.inf, (), np.int64))),
        (array(array(INTEGER)), [[1], [2]], [[1], [2, 3]], JsonText()),
        (TEXT, "", "x" * 65537, Utf8(131072)),
        (TEXT, "", None, OneOf([Discrete(1), Utf8(65536)])),
        (INTEGER, 1, 0.5, FLOAT),
        (INTEGER, 1, "one", JsonText()),
        (INTEGER, 1, 2**63, FLOAT),
        (INTEGER, 1, 10**400, JsonText()),
        (array(INTEGER), [1, 2], [2**63, 1], Box(-np.inf, np.inf, (2,), np.float64)),
        (array(INTEGER), [1, 2], [1e300, 1.0], Box(-np.inf, np.inf, (2,), np.float64)),
        (array(INTEGER), [], [2**63, 1], Numbers(Box(-np.inf, np.inf, (), np.float64))),
        (array(NUMBER), [0.5], [10**400], JsonText()),
    ],
)
def test_a_guess_widens(schema: Schema, first: Any, later: Any, space: Space[Any]) -> None:
    found = read(model(x=schema), {"x": first})
    found.observe({"x": first})
    assert found.widened == 0
    seen = found.observe({"x": later})
    assert found.observations.space == space
    assert space.contains(seen)
    if isinstance(seen, np.ndarray):  # no number has wrapped round
        assert [float(number) for number in seen] == [float(n) for n in np.ravel(later)]
    assert space.contains(found.observe({"x": first}))
    assert found.widened == 1


def test_a_board_is_no_picture_but_a_picture_is() -> None:
    planes = array(array(array(INTEGER)))
    board = read(model(x=planes), {"x": np.zeros((4, 4, 3), int).tolist()})
    assert board.observations.space == Box(-np.inf, np.inf, (4, 4, 3), np.int64)
    picture = read(model(x=planes), {"x": np.zeros((32, 48, 3), int).tolist()})
    assert picture.observations.space == Box(0, 255, (32, 48, 3), np.uint8)
    picture.observe({"x": np.full((32, 48, 3), -1).tolist()})
    assert picture.observations.space == Box(-np.inf, np.inf, (32, 48, 3), np.int64)


def test_legal_actions_that_grow() -> None:
    observation = model(x={**INTEGER, "minimum": 0, "maximum": 9}, legal_actions=array(INTEGER))
    found = read_environment(
        model(a=INTEGER), observation, Given(), lambda: ({"x": 0, "legal_actions": [0, 1]}, {}), ""
    )
    assert found.actions.space == Discrete(2)
    assert found.sources["action.a"] == "probe"
    assert found.mask({"legal_actions": [1, 4]}).tolist() == [0, 1, 0, 0, 1]
    assert found.actions.space == Discrete(5)
    assert found.mask({}).tolist() == [0] * 5


def test_given_is_not_a_guess() -> None:
    found = read(model(x=TEXT), {}, x={"type": "Utf8", "max_length": 3})
    with pytest.raises(SpaceError, match=r"observation\.x"):
        found.observe({"x": "four"})


def test_strict_lists_all() -> None:
    with pytest.raises(SpaceError, match=r'"x": .*Utf8[^$]*spaces="auto"') as caught:
        read(model(x=TEXT, y=INTEGER), {}, **{"*": "strict"})
    assert caught.value.fields["fields"] == ["observation.x", "observation.y"]


def test_a_reset_that_fails_shows_nothing() -> None:
    def fail() -> Any:
        raise EnvironmentFailedError("no")

    found = read_environment(model(a=INTEGER), model(x=array(INTEGER)), Given(), fail, "")
    assert found.actions.space == INT
    assert found.observations.space == Numbers(Box(-np.inf, np.inf, (), np.int64))


def test_models_without_fields() -> None:
    found = read_environment(model(), model(), Given(), lambda: ({}, {}), "")
    assert found.actions.space == found.observations.space == Discrete(1)
    assert found.actions.from_space(0) == {}
    assert found.observe({}) == 0


def test_a_model_that_allows_more_takes_the_fields_that_it_shows() -> None:
    found = read_environment(model(), model(), Given(), lambda: ({"n": 5, "t": "x"}, {}), "")
    assert found.observations.space == Dict([("n", INT), ("t", Utf8(65536))])


def test_the_mode() -> None:
    assert requested_spaces(None) is None
    assert requested_spaces("strict") == {"*": "strict"}
    with pytest.raises(OptionError, match="give 'auto', 'strict'"):
        requested_spaces("srict")


def test_what_is_said() -> None:
    assert guesses_text({"action.x": "schema"}) == ""
    text = guesses_text({"action.x": "default", "observation.y": "probe"})
    assert "defaults: action.x." in text
    assert "observation.y" in text
    assert 'spaces="strict"' in text


def fields(inner: Schema) -> Schema:
    return {"type": "object", "properties": dict.fromkeys("abcdefgh", inner)}


def items(inner: Schema) -> Schema:
    return {"type": "array", "prefixItems": [inner] * 8, "minItems": 8, "maxItems": 8}


def kinds(inner: Schema) -> Schema:
    return {"anyOf": [inner] * 8}


@pytest.mark.parametrize("nest", [fields, items, kinds])
@pytest.mark.parametrize("observed", [True, False])
def test_a_few_references_that_make_billions_of_parts(
    nest: Callable[[Schema], Schema], observed: bool
) -> None:
    definitions = {f"D{level}": nest({"$ref": f"#/$defs/D{level + 1}"}) for level in range(12)}
    schema = {"$defs": {**definitions, "D12": {"type": "boolean"}}}
    found = DefaultReader(schema, observed=observed).read({"$ref": "#/$defs/D0"}, "x")
    assert isinstance(found.space, JsonText)
    reader = SchemaReader(schema, observed=observed)
    reader.read({"$ref": "#/$defs/D0"}, "x")
    assert "more than 2048 parts" in reader.problems[-1].reason
