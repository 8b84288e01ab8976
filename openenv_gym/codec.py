"""Messages as bytes: one :func:`encode`, one :func:`decode`, used by both ends of every wire.

The bytes are msgpack, with extension types for what msgpack does not know, so that a value
arrives as it was sent, type and all: arrays and numpy scalars as dtype, shape and raw bytes (NaN,
inf and every dtype survive), tuples, sets, integers of any size, and gymnasium's graphs. Whatever
else a value holds is a :class:`~openenv_gym.errors.CodecError` that names the place.

Nothing is ever unpickled, and an array of objects is refused at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, cast

import msgspec
import numpy as np
from gymnasium.spaces import GraphInstance
from msgspec.msgpack import Decoder, Encoder, Ext

from openenv_gym.errors import CodecError
from openenv_gym.messages import (
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

_ARRAY, _SCALAR, _TUPLE, _SET, _FROZENSET, _INTEGER, _GRAPH = range(1, 8)

# Fields whose values are anyone's. The others hold JSON of our own making.
_VALUES: dict[type, tuple[str, ...]] = {
    Open: ("options",),
    Reset: ("seed", "options"),
    Step: ("action",),
    Result: ("observation", "reward", "info"),
    Frame: ("frame",),
    StateReply: ("state",),
    Failure: ("fields",),
}

# An array travels as one byte that tells the length of its head, the head, and its memory. The
# head tells dtype and shape; a session sends the same few over and over, so both ends remember
# them. The limit keeps a hostile peer from filling the memory with heads.
_HEADS_REMEMBERED = 4096
_heads: dict[tuple[np.dtype[Any], tuple[int, ...]], bytes] = {}
_shapes: dict[bytes, tuple[np.dtype[Any], tuple[int, ...], int]] = {}

_SMALL = 4096  # bytes that are copied once more sooner than looked at through a view


def _head(array: Any) -> bytes:
    key = (array.dtype, array.shape)
    head = _heads.get(key)
    if head is None:
        if array.dtype.hasobject or array.dtype.names:
            raise CodecError(
                f"An array of dtype {array.dtype} cannot travel: only plain numbers, texts and "
                "times do. Convert it to one of these in the environment.",
                dtype=str(array.dtype),
            )
        body = msgspec.msgpack.encode((array.dtype.str, array.shape))
        head = bytes([len(body)]) + body
        if len(_heads) < _HEADS_REMEMBERED:
            _heads[key] = head
    return head


def _read_head(head: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Dtype, shape and size in bytes."""
    name, shape = msgspec.msgpack.decode(head[1:], type=tuple[str, tuple[int, ...]])
    dtype = np.dtype(name)
    if dtype.hasobject or any(side < 0 for side in shape):
        raise ValueError(f"no plain array: dtype {name}, shape {shape}")
    known = (dtype, shape, math.prod(shape) * dtype.itemsize)
    if len(_shapes) < _HEADS_REMEMBERED:
        _shapes[head] = known
    return known


def _unknown(value: Any) -> Ext:
    """Msgspec's hook: a value that msgpack has no type for."""
    if isinstance(value, np.ndarray):
        if value.nbytes <= _SMALL:
            return Ext(_ARRAY, _head(value) + value.tobytes())
        memory = value if value.flags.c_contiguous else np.ascontiguousarray(value)
        # As bytes whatever the dtype: a memoryview of times or texts is not to be had.
        raw: Any = memory.reshape(-1).view(np.uint8)
        return Ext(_ARRAY, b"".join((_head(value), raw)))
    if isinstance(value, np.generic):
        return Ext(_SCALAR, _head(value) + value.tobytes())
    raise CodecError(
        f"A {type(value).__module__}.{type(value).__qualname__} cannot travel. Use numbers, texts, "
        "bytes, numpy arrays, and lists, tuples, sets and dicts of them.",
        type=type(value).__qualname__,
    )


def _view(data: memoryview) -> np.ndarray[Any, Any]:
    end = 1 + data[0]
    head = bytes(data[:end])
    dtype, shape, size = _shapes.get(head) or _read_head(head)
    if len(data) - end != size:
        raise ValueError(f"{len(data) - end} bytes for an array of {size}")
    return np.ndarray(shape, dtype, data, end)


_EXTENSIONS: dict[int, Callable[[memoryview], Any]] = {
    # The copy makes it the caller's own: writable, aligned, and free of the message's memory.
    _ARRAY: lambda data: _view(data).copy(),
    _SCALAR: lambda data: _view(data)[()],
    _TUPLE: lambda data: tuple(_values.decode(data)),
    _SET: lambda data: set(_values.decode(data)),
    _FROZENSET: lambda data: frozenset(_values.decode(data)),
    _INTEGER: lambda data: int.from_bytes(data, "big", signed=True),
    _GRAPH: lambda data: GraphInstance(*_values.decode(data)),
}


def _extension(code: int, data: memoryview) -> Any:
    """Msgspec's hook: an extension type."""
    read = _EXTENSIONS.get(code)
    if read is None:
        raise ValueError(f"unknown extension type {code}")
    return read(data)


_encoder = Encoder(enc_hook=_unknown)
_values: Decoder[Any] = Decoder(ext_hook=_extension)
_messages: Decoder[Any] = Decoder(
    Open | Reset | Step | Render | GetState | Close
    | Description | Result | Frame | StateReply | Closed | Failure,
    ext_hook=_extension,
)  # fmt: skip

# What msgspec and its hook carry exactly. Enums, dataclasses, dates and subclasses of the plain
# types it would carry too, but they would arrive as something else.
_EXACT = frozenset({type(None), bool, float, str, bytes, np.ndarray, np.int64, np.float64})


def pack(value: Any, place: str) -> Any:
    """The value with what msgpack would change without a word put into extension types.

    Args:
        value: Any value.
        place: Where it stands, for the error.

    Raises:
        CodecError: Something in it cannot travel.
    """
    kind = type(value)
    if kind in _EXACT:
        return value
    if kind is int:
        if -(2**63) <= value < 2**64:
            return value
        size = value.bit_length() // 8 + 1
        return Ext(_INTEGER, value.to_bytes(size, "big", signed=True))
    if kind is dict:
        return _pack_dict(value, place)
    if kind is list:
        return [pack(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if kind in _SEQUENCES:
        items = [pack(item, f"{place}[{i}]") for i, item in enumerate(value)]
        return Ext(_SEQUENCES[kind], _encoder.encode(items))
    if isinstance(value, np.generic | np.ndarray):
        return value
    raise CodecError(
        f"{place} is a {kind.__module__}.{kind.__qualname__}, which cannot travel. Use numbers, "
        "texts, bytes, numpy arrays, and lists, tuples, sets and dicts of them.",
        place=place,
        type=kind.__qualname__,
    )


_SEQUENCES = {
    tuple: _TUPLE,
    set: _SET,
    frozenset: _FROZENSET,
    GraphInstance: _GRAPH,
}


def _pack_dict(value: dict[Any, Any], place: str) -> dict[Any, Any]:
    packed = {}
    for key, item in value.items():
        if type(key) not in (str, int, bytes, bool, float, type(None)):
            raise CodecError(
                f"{place} has the key {key!r}, which cannot travel. Use texts or numbers.",
                place=place,
                type=type(key).__qualname__,
            )
        packed[key] = item if type(item) in _EXACT else pack(item, f"{place}[{key!r}]")
    return packed


def encode(message: Request | Reply) -> bytes:
    """The message as bytes.

    Raises:
        CodecError: A value in it cannot travel.
    """
    changed = None
    for name in _VALUES.get(type(message), ()):
        value = getattr(message, name)
        if type(value) in _EXACT or (type(value) is dict and not value):
            continue
        packed = pack(value, name)
        if packed is not value:
            changed = changed or {}
            changed[name] = packed
    if changed:
        message = msgspec.structs.replace(message, **changed)
    try:
        return _encoder.encode(message)
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise CodecError(
            f"{type(message).__name__} cannot travel: {error}.", kind=type(message).__name__
        ) from error


def decode(data: bytes | bytearray | memoryview) -> Request | Reply:
    """The message in the bytes.

    Raises:
        CodecError: The bytes are no message of ours.
    """
    try:
        return cast("Request | Reply", _messages.decode(data))
    except CodecError:
        raise
    # A decoder must answer for any bytes at all: hooks meet every error that numpy knows.
    except Exception as error:
        raise CodecError(
            f"{len(data)} bytes that are no message of ours: {error}. Is the other end an "
            "openenv-gym of the same protocol version?",
            size=len(data),
        ) from error
