"""What decoding a message may cost: members of one hash are counted before they are decoded."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.msgpack import Ext
from msgspec.msgpack import encode as pack

from openenv_gym.errors import CodecError
from openenv_gym.wire.bounds import CHEAP, check
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Result

_TUPLE, _SET, _FROZENSET, _INTEGER = 3, 4, 5, 6
_MARK = "where the value stands"
_PRIME = (1 << 61) - 1  # a multiple of it has the hash 0
_LONG = 20.0  # seconds, for a busy machine; without the check it is hours


def of_one_hash(number: int) -> Any:
    value = (number + 1000) * _PRIME
    return Ext(_INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def message(value: bytes) -> bytes:
    whole = msgspec.msgpack.encode(Result(_MARK, 0.0, False, False, {}, id=1))
    return whole.replace(pack(_MARK), value)


def mapping(keys: list[bytes]) -> bytes:
    return b"\xdf" + len(keys).to_bytes(4, "big") + b"".join(key + b"\xc0" for key in keys)


MANY = [of_one_hash(number) for number in range(40_000)]
ATTACKS = {
    "set": pack(Ext(_SET, pack(MANY))),
    "frozenset": pack(Ext(_FROZENSET, pack(MANY))),
    "in a list": pack([1, [Ext(_SET, pack(MANY))]]),
    "in tuples": pack(Ext(_TUPLE, pack([Ext(_TUPLE, pack([Ext(_SET, pack(MANY))]))]))),
    "set of tuples": pack(Ext(_SET, pack([Ext(_TUPLE, pack([one])) for one in MANY]))),
    "set of sets": pack(Ext(_SET, pack([Ext(_FROZENSET, pack([one])) for one in MANY]))),
    "many sets": pack([Ext(_SET, pack(MANY[:300])) for _ in range(500)]),
    "keys": mapping([pack(one) for one in MANY]),
    "keys that are lists": mapping([b"\x91" + pack(one) for one in MANY]),
    "keys that are tuples": mapping([pack(Ext(_TUPLE, pack([one]))) for one in MANY]),
    "behind others": pack(["x" * 300, 5.0, [1] * 500, Ext(_SET, pack(MANY))]),
    "long number": pack(Ext(_INTEGER, b"\x7f" * 5_000_000)),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_what_would_take_for_ever_is_refused_at_once(name: str) -> None:
    began = time.monotonic()
    with pytest.raises(CodecError, match="no message of ours"):
        decode(message(ATTACKS[name]))
    assert time.monotonic() - began < _LONG


def test_what_is_too_small_to_be_looked_at_takes_no_time() -> None:
    value = pack(Ext(_SET, pack([of_one_hash(number) for number in range(250)])))
    assert len(message(value)) < CHEAP
    began = time.monotonic()
    assert len(decode(message(value)).observation) == 250  # type: ignore[union-attr]
    assert time.monotonic() - began < _LONG


VALUES: dict[str, Any] = {
    "set of texts": {str(number) for number in range(50_000)},
    "set of numbers": set(range(50_000)),
    "set of tuples": {(number, str(number)) for number in range(3000)},
    "sets of sets": [frozenset({(number, frozenset({1}))}) for number in range(2000)],
    "dict": {number: [str(number), (number, {"x": number / 3})] for number in range(5000)},
    "keys": {None: 0, True: 1, 2: 3, 2.5: 4, "t": 5, b"b": 6, **{f"k{n}": n for n in range(2000)}},
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
    "arrays": [np.zeros(size, np.uint8).tobytes() for size in (1, 300, 70_000)],
    "large integer": 1 << 8 * 4000,
    "deep": [],
}
for _ in range(50):
    VALUES["deep"] = [[VALUES["deep"], (1, 2)], "x" * 200]


@pytest.mark.parametrize("name", VALUES)
def test_what_is_ours_is_let_through(name: str) -> None:
    data = encode(Result(VALUES[name], 0.0, False, False, {}, id=1))
    assert len(data) > CHEAP or name == "large integer"
    check(data)
    assert decode(data).observation == VALUES[name]  # type: ignore[union-attr]


def test_an_integer_that_the_other_end_would_refuse_is_not_sent() -> None:
    with pytest.raises(CodecError, match="whole number"):
        encode(Result(1 << 8 * 5000, 0.0, False, False, {}, id=1))


def test_any_bytes_are_answered() -> None:
    source = random.Random(1)
    whole = encode(Result(VALUES["dict"], 0.0, False, False, {}, id=1))
    for _ in range(300):
        garbage = bytearray(whole[: source.randrange(len(whole))])
        for _ in range(source.randrange(5)):
            garbage[source.randrange(len(garbage)) if garbage else 0 :] = source.randbytes(9)
        for data in (bytes(garbage), source.randbytes(6000), memoryview(garbage)):
            try:
                check(data)
            except ValueError:
                continue
