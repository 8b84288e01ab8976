"""Utf8: any text, and the same text, also through gymnasium's vector environments."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, Sequence, Space, Tuple
from gymnasium.spaces.utils import flatdim, flatten, flatten_space, unflatten
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from hypothesis import given
from hypothesis import strategies as st

from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.testing import same
from tests.spaces.strategies import seeds

unicode = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.integers(0, 60), st.integers(0, 60), seeds)
def test_samples_are_contained_and_repeat(one: int, other: int, seed: int) -> None:
    space = Utf8(max(one, other), min_length=min(one, other), seed=seed)
    again = Utf8(max(one, other), min_length=min(one, other), seed=seed)
    for _ in range(3):
        sample = space.sample()
        assert space.contains(sample)
        assert sample == again.sample()


def test_samples_differ() -> None:
    space = Utf8(20, seed=1)
    assert len({space.sample() for _ in range(20)}) > 15


@given(unicode)
def test_contains_any_text_within_the_bounds(text: str) -> None:
    assert Utf8(40).contains(text)
    assert Utf8(len(text), min_length=len(text)).contains(text)
    assert not Utf8(len(text) + 2, min_length=len(text) + 1).contains(text)
    assert not text or not Utf8(len(text) - 1).contains(text)


@pytest.mark.parametrize(
    "wrong",
    ["\ud800", "fine until \udfff", "\ud83d\ude00", b"bytes", None, 3, ["a"], np.array("a")],
)
def test_contains_nothing_else(wrong: Any) -> None:
    assert not Utf8(40).contains(wrong)


def test_length_is_in_code_points() -> None:
    assert Utf8(1).contains("😀")
    assert not Utf8(1).contains("e\u0301")


@pytest.mark.parametrize(("longest", "shortest"), [(-1, 0), (2, 3), (2, -1)])
def test_bounds_that_are_none(longest: int, shortest: int) -> None:
    with pytest.raises(ValueError, match="min_length"):
        Utf8(longest, min_length=shortest)


def test_samples_without_mask() -> None:
    with pytest.raises(ValueError, match="mask"):
        Utf8(3).sample(mask=np.ones(3))


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
def test_copies_are_equal_and_sample_alike(clone: Callable[[Utf8], Utf8]) -> None:
    space = Utf8(30, min_length=2, seed=5)
    space.sample()
    again = clone(space)
    assert again == space
    assert hash(again) == hash(space)
    assert again.sample() == space.sample()
    assert again != Utf8(30)
    assert again != Discrete(30)
    assert eval(repr(space)) == space


@given(unicode)
def test_flat_and_back(text: str) -> None:
    space = Utf8(40)
    flat = flatten(space, text)
    assert flatten_space(space).contains(flat)
    assert flat.shape == (flatdim(space),)
    assert unflatten(space, flat) == text


@given(unicode)
def test_flat_and_back_among_numbers(text: str) -> None:
    space = Dict({"text": Utf8(40), "x": Box(0, 1, (2,), np.float32), "n": Discrete(3)})
    value = {"text": text, "x": np.zeros(2, np.float32), "n": np.int64(2)}
    flat = flatten(space, value)
    assert flatten_space(space).contains(flat)
    assert unflatten(space, flat)["text"] == text


def test_a_batch_samples_a_text_for_each() -> None:
    space = Utf8(20, seed=3)
    batch = batch_space(space, 8)
    sample = batch.sample()
    assert batch.contains(sample)
    assert len(set(sample)) == 8
    assert space.sample() == Utf8(20, seed=3).sample(), "making a batch moved the space"


def test_a_batch_of_texts_is_taken_apart_again() -> None:
    space = Dict({"text": Utf8(5), "n": Discrete(9)})
    batch, items = batch_space(space, 2), [{"text": "ab", "n": 1}, {"text": "", "n": 2}]
    together = concatenate(space, items, create_empty_array(space, 2))
    assert batch.contains(together)
    assert list(iterate(batch, together)) == items
    assert list(iterate(batch_space(Utf8(5), 2), ("ab", ""))) == ["ab", ""]


EMOJI = "schach ♟ 😀 \0"
SPACES: dict[str, tuple[Space[Any], Callable[[str], Any]]] = {
    "alone": (Utf8(40), lambda text: text),
    "in a dict": (
        Dict({"text": Utf8(40), "n": Discrete(9)}),
        lambda text: {"n": np.int64(3), "text": text},
    ),
    "in a tuple": (Tuple([Discrete(9), Utf8(40)]), lambda text: (np.int64(3), text)),
    "deep": (
        Dict({"a": Tuple([Dict({"b": Utf8(40)}), Utf8(50)])}),
        lambda text: {"a": ({"b": text}, text * 2)},
    ),
}


class Saying(gymnasium.Env[Any, Any]):
    """Says what was last done, which is what its first step is given."""

    def __init__(self, name: str, number: int = 0) -> None:
        self.observation_space, self._value = SPACES[name]
        self.action_space = self.observation_space
        self._number = number

    def reset(self, *, seed: Any = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._value("é" * self._number), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return action, 0.0, False, False, {}


VECTORS: dict[str, Callable[[list[Callable[[], Saying]]], VectorEnv[Any, Any, Any]]] = {
    "sync": SyncVectorEnv,
    "sync different": partial(SyncVectorEnv, observation_mode="different"),
    "async": AsyncVectorEnv,
    "async different": partial(AsyncVectorEnv, observation_mode="different"),
    "async pipes": partial(AsyncVectorEnv, shared_memory=False),
    "async spawn": partial(AsyncVectorEnv, context="spawn"),
}


# Starting interpreters takes long: one Space is enough.
CASES = [(n, v) for n in SPACES for v in VECTORS if v != "async spawn" or n == "in a dict"]


@pytest.mark.parametrize(("name", "vector"), CASES)
def test_through_vector_environments(name: str, vector: str) -> None:
    envs = VECTORS[vector]([partial(Saying, name, number) for number in range(3)])
    say = SPACES[name][1]
    try:
        first, _ = envs.reset(seed=1)
        said = [say("é" * number) for number in range(3)]
        assert same(list(iterate(envs.observation_space, first)), said)
        for texts in (["a", EMOJI, ""], ["", "é" * 20, EMOJI], ["x" * 40, "", "y"]):
            if name == "deep":
                texts = [text[:25] for text in texts]
            wanted = [say(text) for text in texts]
            empty = create_empty_array(envs.single_action_space, 3)
            actions = concatenate(envs.single_action_space, wanted, empty)
            got = envs.step(actions)[0]
            assert envs.observation_space.contains(got)
            assert same(list(iterate(envs.observation_space, got)), wanted)
        assert same(list(iterate(envs.observation_space, first)), said), "changed afterwards"
        envs.step(envs.action_space.sample())
    finally:
        envs.close()


def test_a_sequence_of_texts() -> None:
    space = Sequence(Utf8(5), seed=1)
    assert space.contains(("ab", "😀"))
    assert space.contains(space.sample())
