"""Which actions are admitted: all that are in the Space, and what trainers give for a Box."""

from __future__ import annotations

import re
import warnings
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space
from hypothesis import given, settings

from openenv_gym.spaces.action_check import admission, misfit
from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.utf8 import Utf8
from tests.spaces.strategies import every, seeds

STRANGE: list[Any] = [
    None,
    "text",
    b"bytes",
    object(),
    (),
    [],
    {},
    -1,
    2**70,
    1.5,
    float("nan"),
    1j,
    [1, {}],
    [[1], [1, 2]],
    np.array([object()]),
    np.full((7, 7), np.nan),
    np.datetime64("2026-01-01"),
    np.array("text"),
    np.array([], np.float32),
    {"a": None, 1: 2},
]


def admitted(space: Space[Any], value: Any) -> bool:
    """As the session sees it: what raises is refused. It must never warn."""
    try:
        return bool(admission(space)(value))
    except UserWarning:
        raise
    except Exception:
        return False


@given(every, seeds)
@settings(max_examples=60)
def test_every_sample_is_admitted(space: Space[Any], seed: int) -> None:
    space.seed(seed)
    for _ in range(3):
        assert admitted(space, space.sample())


@given(every)
def test_nothing_strange_is_admitted(space: Space[Any]) -> None:
    for value in STRANGE:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                contained = bool(space.contains(value))
            except Exception:
                contained = False
        if not contained:
            assert not admitted(space, value), value


BOX = Box(np.array([-1, 0], np.float32), np.array([1, 0.7], np.float32))


@pytest.mark.parametrize(
    "good",
    [
        np.array([0, 0.5], np.float32),
        np.array([0, 0.5], np.float64),
        np.array([0, 0.5], np.float16),
        np.array([1, 0]),
        np.array([1, 0], np.uint8),
        np.array([0.5, 0], ">f8"),
        BOX.low,
        BOX.high,
        BOX.high.astype(np.float64),
    ],
    ids=repr,
)
def test_a_box_takes_other_precisions(good: Any) -> None:
    assert admitted(BOX, good)


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([0, 0.71]),
        np.array([-1.01, 0]),
        np.array([np.nan, 0]),
        np.array([np.inf, 0]),
        np.array([0.0]),
        np.array([[0.0, 0.5]]),
        np.array(0.0),
        np.array([0j, 0]),
        np.array(["0", "0"]),
        np.array([0, None]),
        [0.0, 0.5],
        (0.0, 0.5),
        0.5,
        None,
    ],
    ids=repr,
)
def test_a_box_takes_nothing_else(wrong: Any) -> None:
    assert not admitted(BOX, wrong)


def test_a_box_of_integers_takes_no_fractions() -> None:
    box = Box(0, 255, (2,), np.int32)
    assert admitted(box, np.array([1, 255]))
    assert not admitted(box, np.array([1, 256]))
    assert not admitted(box, np.array([-1, 0]))
    assert not admitted(box, np.array([1.0, 2.0]))


def test_an_unbounded_box_takes_no_nan() -> None:
    box = Box(-np.inf, np.inf, (1,))
    assert admitted(box, np.array([1e30]))
    assert not admitted(box, np.array([np.nan]))


def test_a_scalar_box_takes_numpy_scalars() -> None:
    assert admitted(Box(0, 1, ()), np.float32(0.5))
    assert admitted(Box(0, 1, ()), np.float64(0.5))
    assert not admitted(Box(0, 1, ()), np.float64(1.5))


@pytest.mark.parametrize("value", [2, np.int64(2), np.int32(2), np.uint8(2), np.array(2), True])
def test_discrete_takes_integers(value: Any) -> None:
    assert admitted(Discrete(3), value)


@pytest.mark.parametrize("value", [3, -1, 1.0, "1", np.array([1]), np.float64(1), None, 2**70])
def test_discrete_takes_nothing_else(value: Any) -> None:
    assert not admitted(Discrete(3), value)


def test_discrete_with_a_start() -> None:
    space = Discrete(3, start=-1)
    assert [value for value in range(-4, 5) if admitted(space, value)] == [-1, 0, 1]


def test_discrete_of_a_small_dtype() -> None:
    space = Discrete(100, start=156, dtype=np.uint8)
    for value in (156, np.int64(200), np.uint8(255)):
        assert admitted(space, value)
    for value in (155, 256, np.int64(256), np.uint8(3)):
        assert not admitted(space, value)


NESTED = spaces.Dict({"box": BOX, "pair": spaces.Tuple([Discrete(2), Utf8(3)])})


def test_inside_of_others() -> None:
    good = {"box": np.array([0, 0.5]), "pair": (1, "ab")}
    assert admitted(NESTED, good)
    for change in ({"box": np.array([0, 2.0])}, {"pair": (1,)}, {"pair": [1, "a"]}, {"more": 1}):
        assert not admitted(NESTED, {**good, **change})
    assert not admitted(NESTED, {"box": good["box"]})
    assert not admitted(NESTED, list(good.items()))


def test_sequences_and_one_of() -> None:
    sequence = spaces.Sequence(BOX)
    assert admitted(sequence, ())
    assert admitted(sequence, (np.array([0, 0.5]), np.array([1, 0])))
    assert not admitted(sequence, [np.array([0, 0.5])])
    assert not admitted(sequence, (np.array([0, 9.0]),))
    for some, none in (
        (NonEmpty(BOX), ()),
        (NonEmpty(Discrete(3), stack=True), np.array([], np.int64)),
        (NonEmpty(spaces.Dict({"a": BOX}), stack=True), {"a": np.zeros((0, 2), np.float32)}),
    ):
        assert admitted(some, some.sample())
        assert not admitted(some, none)
        assert not some.contains(none)
        assert spaces.Sequence(some.feature_space, stack=some.stack).contains(none)
    one_of = spaces.OneOf([Discrete(2), BOX])
    assert admitted(one_of, (1, np.array([0, 0.5])))
    assert admitted(one_of, (np.int64(0), 1))
    for wrong in ((2, 1), (-1, 1), (0, 5), (0,), (0, 1, 1), (0.0, 1), ("0", 1)):
        assert not admitted(one_of, wrong)


@pytest.mark.parametrize("space", [MultiBinary(2), MultiDiscrete([2, 2])])
def test_lists_of_integers_as_gymnasium_has_it(space: Space[Any]) -> None:
    assert admitted(space, np.array([0, 1], space.dtype))
    assert admitted(space, [0, 1])
    assert not admitted(space, [0, 2])
    assert not admitted(space, np.array([0, 2], space.dtype))


TOOL = spaces.Dict({"tool": Discrete(3), "arguments": JsonText({"type": "object"})})


@pytest.mark.parametrize(
    ("space", "value", "words"),
    [
        (TOOL, {"tool": "look", "arguments": "{}"}, "its 'tool' is 'look', which is not in"),
        (TOOL, {"tool": 1, "arguments": {"a": 1}}, "its 'arguments' is .*json.dumps"),
        (TOOL, {"tool": 1, "argument": "{}"}, "it lacks 'arguments'; it must not have 'argument'"),
        (TOOL, (1, "{}"), "^$"),
        (spaces.Dict({"a": spaces.Tuple([TOOL])}), {"a": ({"tool": 7, "arguments": "{}"},)}, "7"),
        (spaces.Tuple([Discrete(2)]), (1, 1), "it has 2 parts, not 1"),
        (spaces.OneOf([Discrete(2)]), (1, 1), "from 0 to 0"),
        (spaces.OneOf([Discrete(2)]), (0, 5), "its 1 is 5, which is not in Discrete"),
    ],
)
def test_what_does_not_fit_is_named(space: Space[Any], value: Any, words: str) -> None:
    assert not admission(space)(value)
    assert re.search(words, misfit(space, value))
