"""Messages as bytes: one :func:`encode`, one :func:`decode`, used by both ends of every wire.

The bytes are msgpack, with extension types for what msgpack does not know, so that a value
arrives as it was sent, type and all: arrays and numpy scalars as dtype, shape and raw bytes (NaN,
inf and every dtype survive), tuples, sets, integers of any size, and gymnasium's graphs. Whatever
else a value holds is a :class:`~openenv_gym.errors.CodecError` that names the place.

Nothing is ever unpickled, and an array of objects is refused at both ends.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, cast

import msgspec
import numpy as np
from gymnasium.spaces import GraphInstance
from msgspec.msgpack import Decoder, Encoder, Ext

from openenv_gym.errors import CodecError
from openenv_gym.wire.bounds import (
    MAX_INTEGER,
    MAX_STRUCTURE,
    SMALL,
    check,
    check_members,
    is_one_array,
)
from openenv_gym.wire.messages import (
    Answer,
    Call,
    Called,
    Close,
    Closed,
    Description,
    Failure,
    Frame,
    GetState,
    JsonDescription,
    Open,
    OpenVector,
    Query,
    Render,
    Reply,
    Request,
    Reset,
    ResetVector,
    Restore,
    Restored,
    Result,
    Snapshot,
    Snapshotted,
    StateReply,
    Step,
    StepVector,
    VectorResult,
)

_ARRAY, _SCALAR, _TUPLE, _SET, _FROZENSET, _INTEGER, _GRAPH, _INT64 = range(1, 9)

# Fields whose values are anyone's. The others hold JSON of our own making.
_VALUES: dict[type, tuple[str, ...]] = {
    Open: ("options",),
    OpenVector: ("options",),
    Reset: ("seed", "options"),
    ResetVector: ("seeds", "options"),
    StepVector: ("actions",),
    VectorResult: ("observations", "infos"),
    Step: ("action",),
    Call: ("arguments", "keywords"),
    Description: ("metadata", "exports"),
    JsonDescription: ("metadata",),
    Result: ("observation", "reward", "info"),
    Frame: ("frame",),
    StateReply: ("state",),
    Called: ("value", "filled"),
    Query: ("arguments",),
    Answer: ("value",),
    Failure: ("fields",),
}

# An array travels as one byte that gives the length of its head, the head, and its memory. The
# head gives dtype and shape; a session sends the same few over and over, so both ends remember
# them. The limit keeps a hostile peer from filling the memory with heads.
_HEADS_REMEMBERED = 4096
_heads: dict[tuple[np.dtype[Any], tuple[int, ...]], bytes] = {}
_shapes: dict[bytes, tuple[np.dtype[Any], tuple[int, ...], int]] = {}

_int64 = struct.Struct("<q")

_SMALL = 4096  # bytes that are copied once more sooner than looked at through a view


def _head(array: Any) -> bytes:
    key = (array.dtype, array.shape)
    head = _heads.get(key)
    if head is None:
        name = array.dtype.str
        # Of records and dtypes of other packages it gives the size, no more.
        if array.dtype.hasobject or not array.itemsize or np.dtype(name) != array.dtype:
            raise TypeError(
                f"of arrays only those of plain numbers, texts and times do, not of {array.dtype}"
            )
        body = msgspec.msgpack.encode((name, array.shape))
        head = bytes([len(body)]) + body
        if len(_heads) < _HEADS_REMEMBERED:
            _heads[key] = head
    return head


def _read_head(head: bytes) -> tuple[np.dtype[Any], tuple[int, ...], int]:
    """Dtype, shape and size in bytes."""
    name, shape = msgspec.msgpack.decode(head[1:], type=tuple[str, tuple[int, ...]])
    dtype = np.dtype(name)
    # Of items without a size any number would need no bytes; numpy gives texts one all the same.
    if dtype.hasobject or not dtype.itemsize or any(side < 0 for side in shape):
        raise ValueError(f"no plain array: dtype {name}, shape {shape}")
    known = (dtype, shape, math.prod(shape) * dtype.itemsize)
    if len(_shapes) < _HEADS_REMEMBERED:
        _shapes[head] = known
    return known


def _unknown(value: Any) -> Ext:
    """Msgspec's hook: a value that msgpack has no type for."""
    if type(value) is np.int64:  # what a trainer gives for an action, mostly
        return Ext(_INT64, _int64.pack(value))
    if isinstance(value, np.ndarray):
        if value.nbytes <= _SMALL:
            return Ext(_ARRAY, _head(value) + value.tobytes())
        memory = value if value.flags.c_contiguous else np.ascontiguousarray(value)
        # As bytes whatever the dtype: a memoryview of times or texts is not to be had.
        raw: Any = memory.reshape(-1).view(np.uint8)
        return Ext(_ARRAY, b"".join((_head(value), raw)))
    if isinstance(value, np.generic):
        # An empty text has no size of its own, but one in an array has.
        scalar: Any = value if value.itemsize else np.asarray(value)
        return Ext(_SCALAR, _head(scalar) + scalar.tobytes())
    raise TypeError(f"{_kind(value)} does not")


def _view(data: memoryview) -> np.ndarray[Any, Any]:
    end = 1 + data[0]
    head = bytes(data[:end])
    dtype, shape, size = _shapes.get(head) or _read_head(head)
    if len(data) - end != size:
        raise ValueError(f"{len(data) - end} bytes for an array of {size}")
    return np.ndarray(shape, dtype, data, end)


def _own(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The array as the caller's own: writable, aligned, and in memory that is nobody else's.

    Of a large picture that is its part of the message's memory, which nobody else has any more.
    """
    flags = array.flags
    if array.nbytes > _SMALL and flags.writeable and flags.aligned:
        return array
    return array.copy()


_EXTENSIONS: dict[int, Callable[[memoryview], Any]] = {
    _ARRAY: lambda data: _own(_view(data)),
    _SCALAR: lambda data: _view(data)[()],
    _TUPLE: lambda data: tuple(_values.decode(data)),
    _SET: lambda data: set(check_members(_values.decode(data))),
    _FROZENSET: lambda data: frozenset(check_members(_values.decode(data))),
    _INTEGER: lambda data: int.from_bytes(_short(data), "big", signed=True),
    _GRAPH: lambda data: GraphInstance(*_values.decode(data)),
    _INT64: lambda data: np.int64(_int64.unpack(data)[0]),
}


def _short(data: memoryview) -> memoryview:
    if len(data) > MAX_INTEGER:
        raise ValueError(f"a whole number of {len(data)} bytes")
    return data


def _extension(code: int, data: memoryview) -> Any:
    """Msgspec's hook: an extension type."""
    read = _EXTENSIONS.get(code)
    if read is None:
        raise ValueError(f"unknown extension type {code}")
    return read(data)


_NESTED = frozenset((_TUPLE, _SET, _FROZENSET, _GRAPH))

_encoder = Encoder(enc_hook=_unknown)
_values: Decoder[Any] = Decoder(ext_hook=_extension)
_messages: Decoder[Any] = Decoder(
    Open | OpenVector | Reset | ResetVector | Step | StepVector | Render | GetState | Query | Call
    | Snapshot | Restore | Close
    | Description | JsonDescription | Result | VectorResult | Frame | StateReply | Answer | Called
    | Snapshotted | Restored | Closed | Failure,
    ext_hook=_extension,
)  # fmt: skip

# What msgspec and its hook carry exactly. Enums, dataclasses, dates and subclasses of the plain
# types it would carry too, but they would arrive as something else.
_EXACT = frozenset({type(None), bool, float, str, bytes, np.ndarray, np.int64, np.float64})
_KEYS = frozenset({type(None), bool, int, float, str, bytes})
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1  # of msgpack's own integers


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


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
        if _LOWEST <= value <= _HIGHEST:
            return value
        size = value.bit_length() // 8 + 1
        if size > MAX_INTEGER:
            raise _refusal(place, f"a whole number of {size} bytes does not")
        return Ext(_INTEGER, value.to_bytes(size, "big", signed=True))
    if kind is dict:
        return _pack_dict(value, place)
    if kind is list:
        return [pack(item, f"{place}[{i}]") for i, item in enumerate(value)]
    if kind in _SEQUENCES:
        items = [pack(item, f"{place}[{i}]") for i, item in enumerate(value)]
        return Ext(_SEQUENCES[kind], _encoder.encode(items))
    if isinstance(value, np.generic):
        return value
    advice = "; pass its .numpy()" if hasattr(value, "numpy") else ""
    raise _refusal(place, f"a {_kind(value)} does not{advice}")


_SEQUENCES = {
    tuple: _TUPLE,
    set: _SET,
    frozenset: _FROZENSET,
    GraphInstance: _GRAPH,
}


def _pack_dict(value: dict[Any, Any], place: str) -> dict[Any, Any]:
    packed = {}
    for key, item in value.items():
        if type(key) not in _KEYS or (type(key) is int and not _LOWEST <= key <= _HIGHEST):
            raise _refusal(place, f"the key {key!r} does not")
        packed[key] = item if type(item) in _EXACT else pack(item, f"{place}[{key!r}]")
    return packed


def encode(message: Request | Reply) -> bytes:
    """The message as bytes.

    Raises:
        CodecError: A value in it cannot travel.
    """
    changed = {}
    name = type(message).__name__
    try:
        for name in _VALUES.get(type(message), ()):
            value = getattr(message, name)
            if type(value) in _EXACT or (type(value) is dict and not value):
                continue
            packed = pack(value, name)
            if packed is not value:
                changed[name] = packed
        data = _encoder.encode(msgspec.structs.replace(message, **changed) if changed else message)
        if len(data) > MAX_STRUCTURE:
            check(data, _NESTED)  # the other end would refuse it
        return data
    except RecursionError as error:
        raise _refusal(name, "it is nested too deeply, or holds itself") from error
    except (msgspec.MsgspecError, TypeError, ValueError, OverflowError) as error:
        raise _refusal(_place_of_refusal(message), str(error)) from error


def encode_value(value: Any) -> bytes:
    """Return a plain value as bytes.

    Raises:
        CodecError: Something in it cannot travel.
    """
    return _encoder.encode(pack(value, "value"))


def decode_value(data: bytes) -> Any:
    """Return the value in the bytes.

    Raises:
        CodecError: They hold none of ours.
    """
    try:
        if len(data) > SMALL:
            check(data, _NESTED)
        return _values.decode(data)
    except Exception as error:  # as of decode()
        raise CodecError(f"{len(data)} bytes that hold no value of ours: {error}.") from error


def _refusal(place: str, reason: str) -> CodecError:
    return CodecError(
        f"{place} cannot travel: {reason}. Use numbers, texts, bytes, numpy arrays, and lists, "
        "tuples, sets and dicts of them."
        + (" make(..., info='drop') leaves such values out." if place.startswith("info") else ""),
        place=place,
    )


def _place_of_refusal(message: Request | Reply) -> str:
    """Where in the message the value stands that msgspec refused."""
    for name in _VALUES.get(type(message), ()):
        place = _refused(getattr(message, name), name)
        if place is not None:
            return place
    return type(message).__name__


def _refused(value: Any, place: str) -> str | None:
    parts: list[tuple[Any, str]] = []
    if type(value) is dict:
        parts = [(key, f"{place}[{key!r}]") for key in value]
        parts += [(item, f"{place}[{key!r}]") for key, item in value.items()]
    elif type(value) is list or type(value) in _SEQUENCES:
        parts = [(item, f"{place}[{i}]") for i, item in enumerate(value)]
    else:
        try:
            _encoder.encode(pack(value, place))
        except Exception:  # whatever it was that brought us here
            return place
    return next(filter(None, (_refused(part, inner) for part, inner in parts)), None)


def decode(data: bytes | bytearray | memoryview) -> Request | Reply:
    """The message in the bytes.

    Raises:
        CodecError: The bytes are not a message of ours.
    """
    try:
        if len(data) > SMALL and not is_one_array(data, _ARRAY):
            check(data, _NESTED)
        return cast("Request | Reply", _messages.decode(data))
    except CodecError:
        raise
    # A decoder must answer for any bytes at all: hooks meet every error that numpy knows.
    except Exception as error:
        raise _not_ours(data, error) from error


def _not_ours(data: bytes | bytearray | memoryview, error: Exception) -> CodecError:
    return CodecError(
        f"{len(data)} bytes that are not a message of ours: {error}. Is the other end an "
        "openenv-gym of the same protocol version?",
        size=len(data),
    )
