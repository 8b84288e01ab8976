"""Random Spaces of every kind that travels, nested."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.spaces import Space
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from openenv_gym.spaces.json_text import JsonText
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

seeds = st.integers(0, 2**32 - 1)
_shapes = npst.array_shapes(min_dims=0, max_dims=3, max_side=3)
_INTEGERS = [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64]


@st.composite
def float_boxes(draw: st.DrawFn) -> spaces.Box:
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    shape = draw(_shapes)
    # Not the whole range: gymnasium's own sample() overflows with more.
    largest = float(np.finfo(dtype).max) / 4
    finite = st.floats(-largest, largest, width=np.dtype(dtype).itemsize * 8, allow_subnormal=False)
    if draw(st.booleans()):
        low, high = sorted([draw(finite), draw(finite)])
        low = draw(st.sampled_from([low, -np.inf]))
        high = draw(st.sampled_from([high, np.inf]))
        return spaces.Box(low, high, shape, dtype)
    ends = draw(npst.arrays(dtype, (2, *shape), elements=finite))
    low, high = ends.min(axis=0), ends.max(axis=0)
    low = np.where(draw(npst.arrays(np.bool_, shape)), low, dtype(-np.inf)).astype(dtype)
    high = np.where(draw(npst.arrays(np.bool_, shape)), high, dtype(np.inf)).astype(dtype)
    return spaces.Box(low, high, dtype=dtype)


@st.composite
def integer_boxes(draw: st.DrawFn) -> spaces.Box:
    dtype = draw(st.sampled_from(_INTEGERS))
    info = np.iinfo(dtype)
    limits = st.integers(int(info.min), min(int(info.max), 2**63 - 3))
    shape = draw(_shapes)
    if draw(st.booleans()):
        low, high = sorted([draw(limits), draw(limits)])
        return spaces.Box(low, high, shape, dtype)
    ends = draw(npst.arrays(dtype, (2, *shape), elements=limits))
    return spaces.Box(ends.min(axis=0), ends.max(axis=0), dtype=dtype)


@st.composite
def discretes(draw: st.DrawFn) -> spaces.Discrete:
    dtype = draw(st.sampled_from([np.int64, np.int32, np.uint8, np.int8]))
    info = np.iinfo(dtype)
    n = draw(st.integers(1, min(int(info.max), 2**40)))
    start = draw(st.integers(max(int(info.min), -(2**40)), int(info.max) - n))
    return spaces.Discrete(n, start=start, dtype=dtype)


@st.composite
def multi_discretes(draw: st.DrawFn) -> spaces.MultiDiscrete:
    dtype = draw(st.sampled_from([np.int64, np.int32, np.uint8]))
    shape = draw(npst.array_shapes(max_dims=2, max_side=3))
    nvec = draw(npst.arrays(np.int64, shape, elements=st.integers(1, 100)))
    start = draw(npst.arrays(np.int64, shape, elements=st.integers(0, 100)))
    return spaces.MultiDiscrete(nvec, dtype=dtype, start=start)


@st.composite
def texts(draw: st.DrawFn, kind: type[Any] = spaces.Text) -> Any:
    shortest, longest = sorted([draw(st.integers(0, 5)), draw(st.integers(1, 9))])
    if kind is Utf8:
        return Utf8(longest, min_length=shortest)
    # Text itself loses a NUL at the end of a sample.
    characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
    charset = draw(st.text(characters, min_size=1, max_size=9))
    return spaces.Text(longest, min_length=shortest, charset=charset)


_small = st.one_of(
    st.builds(spaces.Discrete, st.integers(1, 5)),
    st.builds(lambda shape: spaces.Box(-1, 1, shape, np.float32), _shapes),
)


def _number(low: float, high: float, dtype: Any) -> spaces.Box:
    return spaces.Box(low, high, (), dtype)


_numbers = st.tuples(
    st.sampled_from([(-np.inf, np.inf, np.int64), (-np.inf, 1, np.float64), (0, 9, np.uint8)]),
    st.integers(0, 3),
    st.none() | st.integers(3, 5),
).map(
    lambda reported: Numbers(_number(*reported[0]), min_length=reported[1], max_length=reported[2])
)
_json_texts = st.sampled_from(
    [
        None,
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array", "items": {"type": "integer", "minimum": 3}},
        {"anyOf": [{"type": "null"}, {"type": "boolean"}]},
    ]
).map(JsonText)
fundamental = st.one_of(
    _numbers,
    _json_texts,
    float_boxes(),
    integer_boxes(),
    st.builds(lambda shape: spaces.Box(0, 1, shape, np.bool_), _shapes),
    discretes(),
    multi_discretes(),
    st.builds(spaces.MultiBinary, st.integers(1, 4) | st.sampled_from([[2, 3], [1], [2, 1, 2]])),
    texts(),
    texts(Utf8),
)
# gymnasium's own contains() warns of graphs whose nodes are a Box without dimensions.
_parts = fundamental.filter(lambda space: not isinstance(space, spaces.Box) or space.shape != ())
_keys = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


def _nested(inner: st.SearchStrategy[Space[Any]]) -> st.SearchStrategy[Space[Any]]:
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.lists(st.tuples(_keys, inner), max_size=3, unique_by=lambda p: p[0]).map(spaces.Dict),
        several.map(spaces.Tuple),
        several.map(spaces.OneOf),
        st.builds(spaces.Sequence, inner),
        st.builds(lambda space: spaces.Sequence(space, stack=True), _small),
        st.builds(NonEmpty, inner),
        st.builds(lambda space: NonEmpty(space, stack=True), _small),
        st.builds(spaces.Graph, _parts, st.none() | _parts),
    )


every: st.SearchStrategy[Space[Any]] = st.recursive(fundamental, _nested, max_leaves=5)
"""A Space of any kind."""
