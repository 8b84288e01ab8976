"""Texts that match a regular expression, and the fields of schemas that want them."""

from __future__ import annotations

import datetime
import uuid

import pytest
from gymnasium.spaces import Dict
from gymnasium.vector.utils import batch_space
from pydantic import BaseModel, Field

from openenv_gym.spaces.describe import describe, parse
from openenv_gym.spaces.json.default_reader import DefaultReader
from openenv_gym.spaces.json.read_schema import SchemaReader
from openenv_gym.spaces.json.write_schema import json_schema
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.pattern_text import PatternText

PATTERNS = [
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^\d{3}-\d{4}$",
    "^(red|green|blue)$",
    r"^[^\s@]+@[^\s@]+\.[a-z]{2,}$",
    "^#[0-9a-fA-F]{6}$",
    r"\w+\W?",
    "^.{40,}$",
    "^(?:[A-Z][a-z]+ ?){1,3}$",
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_samples_match(pattern: str) -> None:
    space = PatternText(pattern, 100, seed=0)
    found = {space.sample() for _ in range(50)}
    assert len(found) > 2
    assert all(map(space.contains, found))
    assert not space.contains("")
    assert not space.contains(7)
    again = parse(describe(space))
    assert again == space
    assert json_schema(space)["pattern"] == pattern


def test_lengths() -> None:
    space = PatternText("^a+$", 20, min_length=12, seed=1)
    assert {len(space.sample()) for _ in range(100)} <= {*range(12, 21)}
    assert not space.contains("a" * 11)


@pytest.mark.parametrize(
    "pattern", [r"(?=x)y", r"^\p{L}+$", r"(a)\1", "(", "^$x", "(a{4000}){4000}", "(" * 5000]
)
def test_patterns_without_samples(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern"):
        PatternText(pattern, 100)


def test_a_text_that_takes_others_years() -> None:
    assert not PatternText("^(a+)+$", 1000).contains("a" * 900 + "b")


def test_in_a_vector_environment() -> None:
    space = batch_space(Dict({"code": PatternText("^[A-Z]{2}$", 2, seed=0)}), 3)
    codes = space.sample()["code"]
    assert len(codes) == 3
    assert space.contains({"code": codes})
    assert not space.contains({"code": ("AB", "CD", "xy")})


class Order(BaseModel):
    code: str = Field(pattern="^[A-Z]{2}[0-9]{4}$", max_length=6)
    name: str = Field(pattern="^[a-z]+$", min_length=12)
    id: uuid.UUID
    at: datetime.datetime
    day: datetime.date
    time: datetime.time
    count: int = Field(ge=0, le=100, multiple_of=5)
    days: dict[str, datetime.date]
    note: str | None = Field(None, pattern="^x+$")
    ids: list[uuid.UUID]


def test_samples_of_a_schema_are_accepted_by_its_model() -> None:
    schema = Order.model_json_schema()
    reader = DefaultReader(schema, observed=False)
    spaced = reader.read(schema, "action")
    space = spaced.space
    assert isinstance(space, Dict)
    assert space["code"] == PatternText("^[A-Z]{2}[0-9]{4}$", 6)
    assert reader.sources["action.code"] == "schema"
    assert reader.sources["action.name"] == "default"
    space.seed(0)
    for _ in range(50):
        value = space.sample()
        Order.model_validate(spaced.converter.from_space(value))
    # A format is how samples look: other texts of it are in the Space.
    assert space["day"].contains("1999-12-31")


def test_a_pattern_without_a_space_is_a_problem() -> None:
    schema = {"type": "string", "pattern": r"^\p{L}+$", "maxLength": 9}
    reader = SchemaReader({}, observed=False)
    reader.read(schema, "action.name")
    assert "pattern" in reader.problems[0].reason
    fallback = DefaultReader({}, observed=False).read(schema, "action.name")
    assert isinstance(fallback.space, JsonText)


def test_observations_may_be_any_text() -> None:
    reader = DefaultReader({}, observed=True)
    space = reader.read({"type": "string", "pattern": "^a$"}, "observation.x").space
    assert space.contains("b")
