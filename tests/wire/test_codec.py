"""The codec: what goes in comes out, what cannot is told, and no bytes at all do harm."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import enum
import string
import tracemalloc
from collections import OrderedDict
from typing import Any

import msgspec
import numpy as np
import pytest
from gymnasium.spaces import GraphInstance
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from msgspec.msgpack import Ext

from openenv_gym.errors import CodecError
from openenv_gym.testing import same
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import (
    Close,
    Closed,
    Description,
    Failure,
    Frame,
    GetState,
    Open,
    Render,
    Reply,
    Request,
    Reset,
    Result,
    StateReply,
    Step,
)

texts = st.text(st.characters(exclude_categories=["Cs"]))
exact = st.none() | st.booleans() | st.integers() | texts | st.binary()
dtypes = st.one_of(
    npst.boolean_dtypes(),
    npst.integer_dtypes(endianness="?"),
    npst.unsigned_integer_dtypes(endianness="?"),
    npst.floating_dtypes(endianness="?"),
    npst.complex_number_dtypes(endianness="?"),
    npst.datetime64_dtypes(endianness="?"),
    npst.timedelta64_dtypes(endianness="?"),
    npst.byte_string_dtypes(),
    npst.unicode_string_dtypes(endianness="?"),
)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """Arrays of every plain dtype and layout: 0-d, empty, transposed, strided, Fortran."""
    shape = draw(npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
    size = int(np.prod(shape))
    dtype = draw(dtypes)
    raw = draw(st.binary(min_size=size * dtype.itemsize, max_size=size * dtype.itemsize))
    if dtype.kind in "SUb":  # not every four bytes are a character, or one byte a bool
        array = draw(npst.arrays(dtype, shape))
    else:
        array = np.frombuffer(raw, dtype).reshape(shape) if size else np.empty(shape, dtype)
    layout = draw(st.sampled_from(["C", "F", "transposed", "every other"]))
    if layout == "F":
        return np.asfortranarray(array)
    if layout == "transposed":
        return array.T
    return array[::2] if layout == "every other" and array.ndim else array


scalars = arrays().filter(lambda a: a.size > 0).map(lambda a: a.reshape(-1)[0])
keys = st.one_of(
    texts,
    st.integers(-(2**63), 2**64 - 1),
    st.none(),
    st.booleans(),
    st.floats(allow_nan=False),
    st.binary(),
)
numbers = st.one_of(st.just(np.zeros((2, 3), np.float32)), npst.arrays(np.int64, (3,)))
graphs = st.builds(GraphInstance, numbers, st.none() | numbers, st.none() | numbers)
values = st.recursive(
    exact | st.floats() | arrays() | scalars | graphs,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(keys, inner, max_size=4),
        st.sets(exact, max_size=4),
        st.frozensets(exact | st.tuples(exact, exact), max_size=4),
    ),
    max_leaves=10,
)


def round_trip(value: Any) -> Any:
    message = decode(encode(Step(value)))
    assert type(message) is Step
    return message.action


@given(values)
@example(np.str_(""))
@example(np.bytes_(b""))
@example(np.array(["", ""]))
@example((("",), [(2**64, -(2**63) - 1)]))
@settings(max_examples=300)
def test_values_arrive_as_they_were(value: Any) -> None:
    assert same(round_trip(value), value)


@given(arrays())
def test_arrays_arrive_as_their_own(array: np.ndarray[Any, Any]) -> None:
    got = round_trip(array)
    assert same(got, array)
    assert got.flags.owndata
    assert got.flags.writeable
    assert got.flags.aligned
    assert got.flags.c_contiguous


def test_large_arrays_arrive_as_their_own() -> None:
    array = np.arange(1_000_000).reshape(1000, 1000)
    for given_ in (array, array.T, array[::3, ::2]):
        got = round_trip(given_)
        assert same(got, np.ascontiguousarray(given_))
        assert got.flags.owndata
        assert got.flags.writeable


@given(st.integers())
def test_integers_of_any_size(value: int) -> None:
    assert same(round_trip(value << 60), value << 60)


MESSAGES: list[Request | Reply] = [
    Open("chess", {"a": (1, 2)}, "ansi", id=1),
    Open(None, {}),
    Reset(2**70, {"b": np.float32(1)}),
    Reset(None),
    Step((1, np.zeros(2))),
    Render(),
    GetState(),
    Close(id=2**40),
    Description("chess", {"type": "Discrete", "n": 2}, {}, {"render_modes": ("ansi",)}, True),
    Result({"x": np.ones(3)}, np.float64(0.5), True, False, {"mask": np.ones(2, np.int8)}),
    Frame(np.zeros((4, 4, 3), np.uint8)),
    StateReply({"set": {1, 2}}),
    Closed(),
    Failure("ActionError", "no", {"shape": (1, 2)}),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_every_message(message: Request | Reply) -> None:
    got = decode(encode(message))
    assert type(got) is type(message)
    assert same(msgspec.structs.asdict(got), msgspec.structs.asdict(message))


class Color(enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    ONE = 1


class Name(str):
    __slots__ = ()


@dataclasses.dataclass
class Point:
    x: int = 1


STRANGE = {
    "enum": Color.RED,
    "int enum": Number.ONE,
    "dataclass": Point(),
    "struct": Closed(),
    "datetime": datetime.datetime(2026, 1, 1),
    "subclass of str": Name("x"),
    "subclass of dict": OrderedDict(a=1),
    "object": object(),
    "bytearray": bytearray(b"x"),
    "complex": 1j,
    "lone surrogate": "a\ud800b",
    "array of objects": np.array([object()]),
    "structured array": np.zeros(2, [("x", "f4")]),
    "masked array": np.ma.masked_array([1, 2], mask=[True, False]),
    "array of variable texts": np.array(["a", "long" * 20], np.dtypes.StringDType()),
    "key of large integer": {2**70: 1},
    "key of tuple": {(1, 2): 1},
    "key of numpy": {np.int64(1): 1},
    "key of lone surrogate": {"\ud800": 1},
    "key of enum": {Number.ONE: 1},
}


@pytest.mark.parametrize("name", STRANGE)
@pytest.mark.parametrize("nest", [lambda v: v, lambda v: (v,), lambda v: ({"k": [v]},)])
def test_what_cannot_travel_is_named(name: str, nest: Any) -> None:
    value = nest(STRANGE[name])
    with pytest.raises(CodecError, match="cannot travel") as caught:
        encode(Result(0, 0.0, False, False, {"good": 1, "bad": value, "fine": 2}))
    place = {0: "", 1: "[0]", 2: "[0]['k'][0]"}[_depth(value, STRANGE[name])]
    assert f"info['bad']{place}" in str(caught.value)
    assert caught.value.fields["place"].startswith(f"info['bad']{place}")


def _depth(value: Any, inner: Any) -> int:
    return 0 if value is inner else (1 if value[0] is inner else 2)


def test_what_is_nested_too_deeply_or_in_itself() -> None:
    itself: list[Any] = []
    itself.append(itself)
    deep: Any = ()
    for _ in range(100_000):
        deep = [deep] if len(deep) % 2 else (deep,)
    for value in (itself, deep, {"x": itself}):
        with pytest.raises(CodecError, match="action") as caught:
            encode(Step(value))
        assert caught.value.fields["place"].startswith("action")


def test_nesting_that_is_deep_on_arrival() -> None:
    data = b"\x93\xa4Step" + b"\x91" * 100_000 + b"\xc0\x00"
    with pytest.raises(CodecError):
        decode(data)
    nested = msgspec.msgpack.encode(1)
    for _ in range(2000):
        nested = msgspec.msgpack.encode([Ext(3, nested)])
    with pytest.raises(CodecError):
        decode(_step(Ext(3, nested)))


@given(st.binary(max_size=300))
def test_random_bytes_are_no_message(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data)


@given(st.sampled_from(MESSAGES) | values.map(Step), st.data())
@settings(max_examples=500)
def test_mutated_messages(message: Request | Reply, data: st.DataObject) -> None:
    """They are messages still, or CodecErrors."""
    mutated = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(mutated) - 1))
        how = data.draw(st.sampled_from(["set", "insert", "delete"]))
        if how == "set":
            mutated[place] = data.draw(st.integers(0, 255))
        elif how == "insert":
            mutated[place:place] = data.draw(st.binary(max_size=8))
        elif len(mutated) > 1:
            del mutated[place]
    with contextlib.suppress(CodecError):
        assert type(decode(bytes(mutated))) in {type(message) for message in [*MESSAGES, Step(0)]}


def _step(action: Any) -> bytes:
    return msgspec.msgpack.encode(["Step", action, 0])


def _array(dtype: Any, shape: Any, raw: bytes = b"", *, code: int = 1) -> bytes:
    body = msgspec.msgpack.encode((dtype, shape))
    return _step(Ext(code, bytes([len(body)]) + body + raw))


HOSTILE = {
    "huge": _array("<f8", (2**40,)),
    "huger than memory": _array("<f8", (2**62,)),
    "size overflows": _array("<f8", (2**32, 2**32)),
    "size overflows to zero": _array("|u1", (2**32, 2**32)),
    "nothing, but wide": _array("<f8", (0, 2**62)),
    "texts of no size": _array("<U0", (2**40,)),
    "bytes of no size": _array("|S0", (2**40,)),
    "void of no size": _array("|V0", (2**40,)),
    "negative": _array("<f8", (-1, -1), b"\0" * 8),
    "too many dimensions": _array("<f8", (1,) * 100, b"\0" * 8),
    "objects": _array("|O", (1,), b"\0" * 8),
    "object scalar": _array("|O", (), b"\0" * 8, code=2),
    "structured with objects": _array("O,i4", (1,), b"\0" * 12),
    "variable texts": _array("|T16", (1,), b"\1" * 16),
    "subarray": _array("(1000,1000,1000,1000)f8", (0,)),
    "no dtype": _array("nonsense", (1,), b"\0" * 8),
    "cut off": _step(Ext(1, b"\xff\x92")),
    "empty": _step(Ext(1, b"")),
    "empty scalar": _step(Ext(2, b"")),
    "unknown extension": _step(Ext(99, b"x")),
    "set of lists": _step(Ext(4, msgspec.msgpack.encode([[1]]))),
    "tuple of nothing": _step(Ext(3, b"")),
    "tuple that is a number": _step(Ext(3, b"\x01")),
    "graph of too few": _step(Ext(7, msgspec.msgpack.encode([1]))),
    "list without end": b"\x93\xa4Step\xdd\xff\xff\xff\xff",
    "dict without end": b"\x93\xa4Step\xdf\xff\xff\xff\xff",
    "text without end": b"\x93\xa4Step\xdb\xff\xff\xff\xff",
    "bytes without end": b"\x93\xa4Step\xc6\xff\xff\xff\xff",
    "not a message": msgspec.msgpack.encode(["Stop", 1, 0]),
    "rest": _step(1) + b"\x00",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_refused_without_a_large_allocation(name: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CodecError):
            decode(HOSTILE[name])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10_000_000


def test_no_hostile_head_is_remembered_for_ever() -> None:
    from openenv_gym.wire import arrays as known

    for size in range(known._HEADS_REMEMBERED + 100):
        decode(_array("|u1", (1, size), b"x" * size))
        round_trip(np.zeros((1, size), np.bool_))
    assert len(known._shapes) <= known._HEADS_REMEMBERED
    assert len(known._heads) <= known._HEADS_REMEMBERED


@given(st.sampled_from(string.ascii_letters + string.digits + "<>|=(),[]"), st.binary(max_size=40))
def test_any_dtype_and_memory(dtype: str, raw: bytes) -> None:
    with contextlib.suppress(CodecError):
        decoded = decode(_array(dtype, (len(raw),), raw))
        assert isinstance(decoded, Step)
        assert decoded.action.tobytes() == raw
