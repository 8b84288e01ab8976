"""Field values to Space values and back, and what does not fit."""

from __future__ import annotations

import enum
from typing import Any, Literal

import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete, Space
from hypothesis import given, settings

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.action_check import admission
from openenv_gym.spaces.convert import converter, table
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.testing import same
from tests.spaces.strategies import every, seeds


class Color(enum.Enum):
    RED = "r"
    GREEN = "g"


def natural(space: Space[Any]) -> Any:
    """The type that a field with this Space has in a model."""
    if isinstance(space, Discrete):
        return int
    if isinstance(space, Box | MultiDiscrete | MultiBinary):
        return list
    if isinstance(space, spaces.Tuple):
        return tuple[tuple(map(natural, space.spaces))]  # type: ignore[misc]
    if isinstance(space, spaces.Sequence):
        return Any if space.stack else list[natural(space.feature_space)]  # type: ignore[misc]
    if isinstance(space, spaces.Dict):
        kinds = list(map(natural, space.spaces.values()))
        same_for_all = kinds and all(kind == kinds[0] for kind in kinds)
        return dict[str, kinds[0] if same_for_all else Any]  # type: ignore[misc]
    return Any


@given(every, seeds)
@settings(max_examples=60)
def test_samples_are_field_values_and_back(space: Space[Any], seed: int) -> None:
    space.seed(seed)
    for annotation in (Any, natural(space)):
        convert = converter(space, annotation, "Model.field")
        sample = space.sample()
        value = convert.from_space(sample)
        back = convert.to_space(value)
        assert admission(space)(back)
        assert same(convert.from_space(back), value)


def test_natural_values_of_python() -> None:
    """No numpy numbers where the field says int, no arrays where it says list."""
    number = converter(Discrete(5), int, "x").from_space(np.int64(3))
    assert type(number) is int
    assert converter(Box(0, 9, (2,)), list[float], "x").from_space(np.ones(2, np.float32)) == [1, 1]
    assert converter(Box(0, 9, ()), float, "x").from_space(np.array(2, np.float32)) == 2.0
    assert converter(Discrete(2), bool, "x").from_space(np.int64(1)) is True
    assert converter(Discrete(2, start=5), Color, "x").from_space(np.int64(6)) is Color.GREEN
    assert converter(Discrete(2), Literal["a", 7], "x").from_space(1) == 7


@pytest.mark.parametrize("space", [MultiBinary(2), MultiDiscrete([2, 2])])
def test_lists_that_the_space_contains(space: Space[Any]) -> None:
    assert converter(space, list[int], "x").from_space([0, 1]) == [0, 1]


def test_values_take_the_dtype_of_the_space() -> None:
    to_space = converter(Box(0, 9, (2,), np.float32), Any | None, "x").to_space
    for value in ([1, 2], (1.0, 2.0), np.array([1, 2]), np.array([1.0, 2.0])):
        assert same(to_space(value), np.array([1, 2], np.float32))
    array = np.array([1, 2], np.float32)
    assert to_space(array) is array, "no copy where none is needed"


_DICT = spaces.Dict({"a": Discrete(2), "b": Discrete(2)})
WRONG: list[tuple[Space[Any], Any, Any]] = [
    (Box(0, 1, (2,)), list[float], [1.0]),
    (Box(0, 1, (2,)), list[float], [[1.0, 2.0]]),
    (Box(0, 1, (2,)), list[float], ["x", "y"]),
    (Box(0, 1, (2,)), list[float], [[1.0], [1.0, 2.0]]),
    (Box(0, 1, (2,)), list[float], None),
    (Box(0, 255, (2,), np.uint8), list[int], [0, 256]),
    (Box(0, 255, (2,), np.uint8), list[int], [0, -1]),
    (MultiBinary(2), list[bool], [True]),
    (MultiDiscrete([2, 2]), list[int], [0]),
    (Discrete(2), Color, "r"),
    (Discrete(2), Literal["a", "b"], "c"),
    (Discrete(2), Literal["a", "b"], ["a"]),
    (Utf8(2), str, "long"),
    (Utf8(2), str, "\ud800"),
    (Utf8(2), str, None),
    (spaces.Text(2, charset="ab"), str, "c"),
    (_DICT, dict[str, int], {"a": 1}),
    (_DICT, dict[str, int], {"a": 1, "b": 1, "c": 1}),
    (_DICT, dict[str, int], {"a": 1, 2: 1}),
    (spaces.Tuple([Discrete(2)]), tuple[int], ()),
    (spaces.Sequence(Discrete(2)), list[Color], [Color.RED, "blue"]),
]


@pytest.mark.parametrize(("space", "annotation", "value"), WRONG, ids=str)
def test_what_does_not_fit_names_the_field(space: Space[Any], annotation: Any, value: Any) -> None:
    convert = converter(space, annotation, "Seen.field")
    with pytest.raises(SpaceError, match=r"Seen\.field"):
        convert.to_space(value)


def test_a_table_knows_its_values() -> None:
    both = table(("up", "down"), 3, "field")
    assert [both.to_space("up"), both.to_space("down")] == [3, 4]
    assert both.from_space(np.int64(4)) == "down"
    with pytest.raises(SpaceError, match="'left'"):
        both.to_space("left")
    with pytest.raises(SpaceError, match="twice"):
        table(("a", "a"), 0, "field")
