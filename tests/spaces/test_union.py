"""Unions of guessed Spaces, and values in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, OneOf, Sequence, Space, Tuple

from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.union import fit_mask, lift, union
from openenv_gym.spaces.utf8 import Utf8

NULL = Discrete(1)


def free(*shape: int, dtype: Any = np.int64) -> Box:
    return Box(-np.inf, np.inf, shape, dtype)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (free(4), free(6), Numbers(free())),
        (free(2, 2), free(2, 2, dtype=np.float64), free(2, 2, dtype=np.float64)),
        (Box(0, 255, (2, 2), np.uint8), free(2, 2), free(2, 2)),
        (Box(0, 1, (2,), np.int8), Box(-1, 0, (2,), np.int8), Box(-1, 1, (2,), np.int8)),
        (free(2, 2), free(2, 3), JsonText()),
        (free(3), Numbers(free(dtype=np.float64)), Numbers(free(dtype=np.float64))),
        (Discrete(3), Discrete(4, start=-1), Discrete(4, start=-1)),
        (Utf8(10), Utf8(20, min_length=1), Utf8(20)),
        (Utf8(10), OneOf([NULL, Utf8(10)]), OneOf([NULL, Utf8(10)])),
        (Utf8(10), JsonText(), JsonText()),
        (Discrete(2), Utf8(5), JsonText()),
        (
            Dict({"a": Utf8(4), "b": free(4)}),
            Dict({"a": OneOf([NULL, Utf8(4)]), "b": free(5)}),
            Dict({"a": OneOf([NULL, Utf8(4)]), "b": Numbers(free())}),
        ),
        (Sequence(Utf8(5)), Sequence(Utf8(9)), Sequence(Utf8(9))),
        (Tuple([Utf8(5), NULL]), Tuple([Utf8(5), Discrete(5)]), Tuple([Utf8(5), Discrete(5)])),
        (
            OneOf([Discrete(3), Utf8(4)]),
            OneOf([Discrete(3), Utf8(4), JsonText()]),
            OneOf([Discrete(3), Utf8(4), JsonText()]),
        ),
        (OneOf([NULL, Utf8(4)]), OneOf([NULL, JsonText()]), OneOf([NULL, JsonText()])),
        (
            OneOf([NULL, Dict({"a": Utf8(4)})]),
            Dict({"a": Utf8(9)}),
            OneOf([NULL, Dict({"a": Utf8(9)})]),
        ),
    ],
)
def test_it_has_the_values_of_both(one: Space[Any], other: Space[Any], wanted: Space[Any]) -> None:
    found = union(one, other)
    assert found == union(other, one) == wanted
    for space in (one, other):
        space.seed(0)
        convert = lift(space, found)
        for _ in range(20):
            assert found.contains(convert(space.sample()))


def test_values_keep_what_they_say() -> None:
    array = lift(free(2, 2), JsonText())(np.array([[1, 2], [3, 4]]))
    assert array == "[[1,2],[3,4]]"
    assert lift(Utf8(4), OneOf([NULL, Utf8(4)]))("x") == (1, "x")
    numbers = lift(free(2), Numbers(free(dtype=np.float64)))(np.array([1, 2]))
    assert (numbers.dtype, numbers.tolist()) == (np.float64, [1.0, 2.0])


def test_masks() -> None:
    mask = np.array([1, 0], np.int8)
    fitted = fit_mask(mask, Discrete(2), Discrete(4, start=-1))
    assert fitted.tolist() == [0, 1, 0, 0]
    rows = fit_mask(np.stack([mask, mask]), Discrete(2), Discrete(3))
    assert rows.tolist() == [[1, 0, 0]] * 2
