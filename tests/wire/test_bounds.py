"""What a hostile message may cost whoever decodes it."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.msgpack import Ext

from openenv_gym.errors import CodecError
from openenv_gym.wire.bounds import MAX_INTEGER, MAX_STRUCTURE
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Result, Step

PRIME = (1 << 61) - 1  # of Python's hashes of numbers
MARK = "PLACEHOLDERxyz"
TUPLE, SET, FROZENSET, INTEGER = 3, 4, 5, 6


def with_value(value: bytes, id: int = 1) -> bytes:
    """A step whose action is given in msgpack."""
    step = msgspec.msgpack.encode(Step(MARK, id=id))
    return step.replace(msgspec.msgpack.encode(MARK), value)


def same_hash(count: int) -> list[bytes]:
    """Whole numbers, in msgpack, that all have the hash 0."""
    numbers = [k * PRIME for k in range(1 << 10, (1 << 10) + count)]
    return [
        msgspec.msgpack.encode(
            Ext(INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))
        )
        for number in numbers
    ]


def ext(code: int, data: bytes) -> bytes:
    return msgspec.msgpack.encode(Ext(code, data))


def colliding_step(count: int, id: int = 1) -> bytes:
    members = b"\xdd" + count.to_bytes(4, "big") + b"".join(same_hash(count))
    return with_value(ext(SET, members), id)


def _set(code: int, count: int) -> bytes:
    return ext(code, b"\xdd" + count.to_bytes(4, "big") + b"".join(same_hash(count)))


def _dict(keys: list[bytes]) -> bytes:
    return b"\xdf" + len(keys).to_bytes(4, "big") + b"".join(key + b"\xc0" for key in keys)


def _set_of(members: list[bytes]) -> bytes:
    return ext(SET, b"\xdd" + len(members).to_bytes(4, "big") + b"".join(members))


HOSTILE = {
    "set": _set(SET, 40_000),
    "frozenset": _set(FROZENSET, 40_000),
    "set in a tuple": ext(TUPLE, b"\x91" + _set(SET, 40_000)),
    "keys that are numbers": _dict(same_hash(40_000)),
    "keys that are tuples": _dict([b"\x91" + number for number in same_hash(40_000)]),
    "keys after a text": _dict([b"\xa1a", *(b"\x91" + number for number in same_hash(40_000))]),
    "a dict in a list": b"\x91" + _dict(same_hash(40_000)),
    "a dict in a dict": b"\x81\xa1a" + _dict(same_hash(40_000)),
    "keys that are lists": _dict([ext(TUPLE, b"\x91" + number) for number in same_hash(40_000)]),
    "set in tuples": ext(TUPLE, b"\x91" + ext(TUPLE, b"\x91" + _set(SET, 40_000))),
    "set of tuples": _set_of([ext(TUPLE, b"\x91" + number) for number in same_hash(40_000)]),
    "set of sets": _set_of([ext(FROZENSET, b"\x91" + number) for number in same_hash(40_000)]),
    "many sets": b"\xdc\x01\xf4" + _set(SET, 300) * 500,
    "behind others": b"\x92"
    + msgspec.msgpack.encode(["x" * 300, 5.0, [1] * 500])
    + _set(SET, 40_000),
    "a dict in a tuple": ext(TUPLE, b"\x91" + _dict(same_hash(40_000))),
    "members": b"\xdd\x03\x00\x00\x00" + b"\x90" * 0x3000000,
    "empty dicts in lists": b"\xdd\x00\x10\x00\x00" + (b"\x9f" + b"\x80" * 15) * 0x100000,
    "structure": b"\x9f" + (b"\xdd\x00\x0f\x00\x00" + b"\x90" * 0xF0000) * 15,
    "a number": ext(INTEGER, b"\x7f" * 50_000_000),
    "depth": b"\x91" * 3_000_000 + b"\x90",
    "depth of what is large": b"\x91" * 500 + b"\xdd\x00\x0f\x00\x00" + b"\x00" * 0xF0000,
}


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_messages_are_refused_at_once(value: bytes) -> None:
    began = time.monotonic()
    with pytest.raises(CodecError):
        decode(with_value(value))
    assert time.monotonic() - began < 30.0  # these took minutes, or gigabytes


def nested(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [[value, (1, 2)], "x" * 200]
    return value


VALUES: dict[str, Any] = {
    "set of numbers": set(range(100_000)),
    "set of large numbers": {2**100 + i for i in range(2000)},
    "set of texts": frozenset(str(i) for i in range(5000)),
    "few of one hash": {k * PRIME for k in range(50)},
    "keys of all kinds": {
        None: 0,
        True: 1,
        2: 2,
        0.5: 3,
        "a": 4,
        b"b": 5,
        **dict.fromkeys(range(7, 9000)),
    },
    "set of tuples": {(number, str(number)) for number in range(3000)},
    "sets of sets": [frozenset({(number, frozenset({1}))}) for number in range(2000)],
    "dict": {number: [str(number), (number, {"x": number / 3})] for number in range(5000)},
    "numbers": [
        *range(-300, 70_000, 7),
        2**40,
        -(2**40),
        2**63,
        1.5,
        True,
        None,
        2**70,
        *[1.5] * 99,
    ],
    "texts": ["x" * size for size in (0, 31, 32, 255, 256, 65_535, 65_536)],
    "bytes": [bytes(size) for size in (0, 255, 256, 65_535, 65_536)],
    "lists": [[0] * size for size in (0, 15, 16, 65_535, 65_536)],
    "deep": nested(50),
    "dict of dicts": {str(i): {"a": [i] * 50, "b": (1, "c")} for i in range(100)},
    "list of numbers": [0.5] * 100_000,
    "list of lists": [[i, "a"] * 20 for i in range(2000)],
    "arrays": {"a": np.zeros((100, 100)), "b": [np.arange(5000), "x" * 9000, b"y" * 9000]},
    "integer": -(2 ** (8 * MAX_INTEGER - 9)),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES.keys())
def test_large_values_travel(value: Any) -> None:
    arrived = decode(encode(Result(value, 0.0, False, False, {}))).observation  # type: ignore[union-attr]
    np.testing.assert_equal(arrived, value)
    assert type(arrived) is type(value)


def test_a_large_array_and_a_large_text_are_not_structure() -> None:
    value = [np.zeros(2 * MAX_STRUCTURE, np.uint8), "x" * 2 * MAX_STRUCTURE]
    arrived = decode(encode(Step(value))).action  # type: ignore[union-attr]
    assert arrived[0].nbytes == len(arrived[1]) == 2 * MAX_STRUCTURE


def test_what_would_be_refused_is_not_sent() -> None:
    with pytest.raises(CodecError, match="put numbers into arrays"):
        encode(Step([0.5] * (MAX_STRUCTURE // 8)))
    with pytest.raises(CodecError, match="bytes of lists"):
        encode(Step(["x" * 30] * (MAX_STRUCTURE // 30)))
    with pytest.raises(CodecError, match=r"action.*whole number of"):
        encode(Step(1 << (8 * MAX_INTEGER)))


def test_any_bytes_are_answered() -> None:
    source = random.Random(1)
    whole = encode(Result(VALUES["dict"], 0.0, False, False, {}, id=1))
    for _ in range(300):
        garbage = bytearray(whole[: source.randrange(len(whole))])
        for _ in range(source.randrange(5)):
            garbage[source.randrange(len(garbage)) if garbage else 0 :] = source.randbytes(9)
        for data in (bytes(garbage), source.randbytes(6000), memoryview(garbage)):
            with pytest.raises(CodecError):
                decode(data)
