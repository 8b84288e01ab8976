"""Spaces as JSON: what comes back is equal, samples alike and flattens alike."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces import Space
from gymnasium.spaces.utils import flatten
from hypothesis import example, given, settings

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.describe import describe, parse
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.testing import same
from tests.spaces.strategies import every, seeds


def round_trip(space: Space[Any]) -> Space[Any]:
    return parse(json.loads(json.dumps(describe(space), allow_nan=False)))


@given(every, seeds)
@example(spaces.Box(-np.inf, np.inf, (2,), np.int32), 0)
@example(spaces.Box(np.array([0, -np.inf]), np.array([np.inf, 0]), dtype=np.float64), 0)
@example(spaces.Box(np.array([0, -np.inf]), np.array([np.inf, 5]), dtype=np.int32), 0)
@example(spaces.Box(-(2**63), 2**63 - 2, (2,), np.int64), 0)
@example(spaces.Box(0, 2**63 - 2, (2,), np.uint64), 0)
@example(spaces.Box(np.zeros((0, 2)), np.zeros((0, 2)), dtype=np.float64), 0)
@example(spaces.Box(0, 1, (2, 0)), 0)
@example(spaces.Box(0.1, 0.7, (), np.float32), 0)
@example(spaces.Box(0, 1, (2,), ">f4"), 0)
@example(spaces.Box(np.array([False, False]), np.array([True, False]), dtype=np.bool_), 0)
@example(spaces.Discrete(255, start=1, dtype=np.uint8), 0)
@example(spaces.MultiDiscrete([2, 3], dtype=np.uint8, start=[5, 1]), 0)
@example(spaces.Text(5, charset="zyxabcé😀"), 0)
@example(spaces.Dict({"z": spaces.Discrete(2), "a": spaces.Discrete(3)}), 0)
@example(spaces.Dict([("z", spaces.Discrete(2)), ("a", spaces.Discrete(3))]), 0)
@example(spaces.Dict([(1, spaces.Discrete(2)), ("1", spaces.Discrete(3))]), 0)
@settings(max_examples=150)
def test_what_is_told_is_the_same_space(space: Space[Any], seed: int) -> None:
    again = round_trip(space)
    assert again == space
    assert type(again) is type(space)
    assert (again.dtype, again.shape) == (space.dtype, space.shape)
    space.seed(seed)
    again.seed(seed)
    for _ in range(3):
        assert same(again.sample(), space.sample())


@given(every)
def test_telling_twice_says_the_same(space: Space[Any]) -> None:
    assert describe(round_trip(space)) == describe(space)


def test_the_order_of_keys_and_characters_is_kept() -> None:
    """It decides how a Space flattens."""
    space = spaces.Dict([("z", spaces.Discrete(2)), ("a", spaces.Discrete(3))])
    value = {"z": np.int64(1), "a": np.int64(0)}
    assert same(flatten(round_trip(space), value), flatten(space, value))
    text = spaces.Text(3, charset="cba")
    assert same(flatten(round_trip(text), "ab"), flatten(text, "ab"))


def test_integer_bounds_that_were_infinite_still_are() -> None:
    space = round_trip(spaces.Box(-np.inf, np.inf, (2,), np.int32))
    assert isinstance(space, spaces.Box)
    assert not space.bounded_below.any()
    assert not space.bounded_above.any()


def test_by_hand() -> None:
    assert parse({"type": "Box", "low": -1, "high": 1, "shape": [3]}) == spaces.Box(-1, 1, (3,))
    assert parse({"type": "Discrete", "n": 3}) == spaces.Discrete(3)
    assert parse({"type": "Utf8", "max_length": 3}) == Utf8(3)
    assert parse({"type": "MultiDiscrete", "nvec": [2, 3]}) == spaces.MultiDiscrete([2, 3])
    both = {"type": "Dict", "spaces": {"b": {"type": "Discrete", "n": 2}}}
    assert parse(both) == spaces.Dict({"b": spaces.Discrete(2)})


class Odd(Space[Any]):
    pass


@pytest.mark.parametrize(
    "space", [Odd(), spaces.Tuple([Odd()]), spaces.Sequence(Odd())], ids=lambda s: type(s).__name__
)
def test_a_space_of_another_kind_is_told_apart(space: Space[Any]) -> None:
    with pytest.raises(SpaceError, match="Odd"):
        describe(space)


def test_a_large_box_is_not_copied() -> None:
    tracemalloc.start()
    try:
        space = spaces.Box(0, 255, (1 << 23,), np.uint8)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        assert describe(space)["high"] == 255
        assert tracemalloc.get_traced_memory()[1] - before < 1 << 22
    finally:
        tracemalloc.stop()


def test_a_subclass_is_told_as_what_it_is() -> None:
    class Mine(spaces.Discrete):
        pass

    assert describe(Mine(3)) == describe(spaces.Discrete(3))


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"type": "Cube"},
        {"type": ["Box"]},
        {"type": "Box"},
        {"type": "Box", "low": "x", "high": 1, "shape": [1]},
        {"type": "Box", "low": 0, "high": 1, "shape": "x"},
        {"type": "Box", "low": 0, "high": 1, "shape": [-1]},
        {"type": "Box", "low": 0, "high": 1, "shape": [2**40]},
        {"type": "Box", "low": 0, "high": 1, "dtype": "object", "shape": [1]},
        {"type": "Box", "low": 0, "high": 1e999, "dtype": "nonsense", "shape": [1]},
        {"type": "Box", "low": [[1], [1, 2]], "high": 2},
        {"type": "Discrete", "n": 0},
        {"type": "Discrete", "n": 300, "dtype": "uint8"},
        {"type": "MultiDiscrete", "nvec": [0]},
        {"type": "MultiBinary", "n": -1},
        {"type": "Text", "max_length": 1, "min_length": 2, "charset": "a"},
        {"type": "Text", "max_length": 1},
        {"type": "Utf8", "max_length": -1},
        {"type": "Utf8", "max_length": "long"},
        {"type": "Dict", "spaces": [1]},
        {"type": "Dict", "spaces": [["x", {"type": "Cube"}]]},
        {"type": "Tuple", "spaces": None},
        {"type": "Graph", "node_space": {"type": "Cube"}},
        None,
        "Box",
        [],
    ],
    ids=str,
)
def test_what_describes_no_space(wrong: Any) -> None:
    with pytest.raises(SpaceError):
        parse(wrong)
