"""Messages as bytes: one :func:`encode`, one :func:`decode`, used by both ends of every wire.

The bytes are msgpack, with extension types for what msgpack does not know, so that a value
arrives as it was sent, type and all: arrays and numpy scalars as dtype, shape and raw bytes (NaN,
inf and every dtype survive), tuples, sets, integers of any size, and gymnasium's graphs. Whatever
else a value holds is a :class:`~openenv_gym.errors.CodecError` that names the place.

Nothing is ever unpickled, and an array of objects is refused at both ends.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
from gymnasium.spaces import GraphInstance
from msgspec.msgpack import Decoder, Encoder, Ext

from openenv_gym.errors import CodecError
from openenv_gym.wire.arrays import array_bytes, array_head, own, split_head, view
from openenv_gym.wire.bounds import (
    MAX_INTEGER,
    MAX_STRUCTURE,
    SMALL,
    check,
    check_members,
    is_one_value,
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
from openenv_gym.wire.shared_memory import LARGE, ReadMemory, WriteMemory

_ARRAY, _SCALAR, _TUPLE, _SET, _FROZENSET, _INTEGER, _GRAPH, _INT64, _PLACED, _BATCH = range(1, 11)

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

_int64 = struct.Struct("<q")
_place = struct.Struct("<Q")


def _unknown(value: Any) -> Ext:
    """Msgspec's hook: a value that msgpack has no type for."""
    if type(value) is np.int64:  # what a trainer gives for an action, mostly
        return Ext(_INT64, _int64.pack(value))
    if isinstance(value, np.ndarray):
        return Ext(_ARRAY, array_bytes(value))
    if isinstance(value, np.generic):
        # An empty text has no size of its own, but one in an array has.
        scalar: Any = value if value.itemsize else np.asarray(value)
        return Ext(_SCALAR, array_head(scalar) + scalar.tobytes())
    raise TypeError(f"{_kind(value)} does not")


Read = Callable[[memoryview], Any]

_EXTENSIONS: dict[int, Read] = {
    _ARRAY: lambda data: own(view(data)),
    _SCALAR: lambda data: view(data)[()],
    _INTEGER: lambda data: int.from_bytes(_short(data), "big", signed=True),
    _INT64: lambda data: np.int64(_int64.unpack(data)[0]),
}


def _nested(decode: Read) -> dict[int, Read]:
    """The extension types whose bytes are msgpack again."""
    return {
        _TUPLE: lambda data: tuple(decode(data)),
        _SET: lambda data: set(check_members(decode(data))),
        _FROZENSET: lambda data: frozenset(check_members(decode(data))),
        _GRAPH: lambda data: GraphInstance(*decode(data)),
    }


def _short(data: memoryview) -> memoryview:
    if len(data) > MAX_INTEGER:
        raise ValueError(f"a whole number of {len(data)} bytes")
    return data


_MESSAGES = (
    Open | OpenVector | Reset | ResetVector | Step | StepVector | Render | GetState | Query | Call
    | Snapshot | Restore | Close
    | Description | JsonDescription | Result | VectorResult | Frame | StateReply | Answer | Called
    | Snapshotted | Restored | Closed | Failure
)  # fmt: skip


class Decoders:
    """Decoders of messages and of plain values.

    Args:
        memory: Where large arrays of the messages lie; None: there are none such.
        views: Batches that lie there are not copied: each stands until the one after the next.
    """

    def __init__(self, memory: ReadMemory | None = None, *, views: bool = False) -> None:
        self.values: Decoder[Any] = Decoder(ext_hook=self._extension)
        self.messages: Decoder[Any] = Decoder(_MESSAGES, ext_hook=self._extension)
        self._memory = memory
        self._read = {**_EXTENSIONS, **_nested(self.values.decode)}
        if memory is not None:
            self._read[_PLACED] = lambda data: _placed(memory, data).copy()
            self._read[_BATCH] = (lambda d: _placed(memory, d)) if views else self._read[_PLACED]

    def _extension(self, code: int, data: memoryview) -> Any:
        """Msgspec's hook: an extension type."""
        read = self._read.get(code)
        if read is None:
            raise ValueError(f"unknown extension type {code}")
        return read(data)

    def decode(self, data: bytes | bytearray | memoryview) -> Request | Reply:
        """Return the message in the bytes.

        Raises:
            CodecError: The bytes are not a message of ours.
        """
        try:
            if self._memory is not None:
                self._memory.begin()
            if len(data) > SMALL and not is_one_value(data, _ARRAY):
                check(data, _NESTED)
            message: Request | Reply = self.messages.decode(data)
            return message
        except CodecError:
            raise
        # A decoder must answer for any bytes at all: hooks meet every error that numpy knows.
        except Exception as error:
            raise _not_ours(data, error) from error


def _placed(memory: ReadMemory, data: memoryview) -> np.ndarray[Any, Any]:
    dtype, shape, size, end = split_head(data)
    return memory.find(_place.unpack(data[end:])[0], dtype, shape, size)


def encoder_into(memory: WriteMemory) -> Encoder:
    """Return an encoder that puts large arrays into a memory, where they have room."""

    def unknown(value: Any) -> Ext:
        if isinstance(value, np.ndarray) and value.nbytes >= LARGE:
            head, place = array_head(value), memory.place_of(value)
            if place is not None:
                return Ext(_BATCH, head + _place.pack(place))
            place = memory.put(value)
            if place is not None:
                return Ext(_PLACED, head + _place.pack(place))
        return _unknown(value)

    return Encoder(enc_hook=unknown)


_NESTED = frozenset((_TUPLE, _SET, _FROZENSET, _GRAPH))

_encoder = Encoder(enc_hook=_unknown)
PLAIN = Decoders()
"""Of what stands in the bytes alone."""
decode = PLAIN.decode

# What msgspec and its hook carry exactly. Enums, dataclasses, dates and subclasses of the plain
# types it would carry too, but they would arrive as something else.
_EXACT = frozenset({type(None), bool, float, str, bytes, np.ndarray, np.int64, np.float64})
_KEYS = frozenset({type(None), bool, int, float, str, bytes})
_LOWEST, _HIGHEST = -(2**63), 2**64 - 1  # of msgpack's own integers


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def pack(value: Any, place: str, encoder: Encoder | None = None) -> Any:
    """The value with what msgpack would change without a word put into extension types.

    Args:
        value: Any value.
        place: Where it stands, for the error.
        encoder: Encodes what is nested in these; by default as for any message.

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
        return _pack_dict(value, place, encoder)
    if kind is list:
        return [pack(item, f"{place}[{i}]", encoder) for i, item in enumerate(value)]
    if kind in _SEQUENCES:
        items = [pack(item, f"{place}[{i}]", encoder) for i, item in enumerate(value)]
        return Ext(_SEQUENCES[kind], (encoder or _encoder).encode(items))
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


def _pack_dict(value: dict[Any, Any], place: str, encoder: Encoder | None) -> dict[Any, Any]:
    packed = {}
    for key, item in value.items():
        if type(key) not in _KEYS or (type(key) is int and not _LOWEST <= key <= _HIGHEST):
            raise _refusal(place, f"the key {key!r} does not")
        packed[key] = item if type(item) in _EXACT else pack(item, f"{place}[{key!r}]", encoder)
    return packed


def encode(message: Request | Reply, encoder: Encoder | None = None) -> bytes:
    """The message as bytes.

    Args:
        message: The message.
        encoder: One of :func:`encoder_into`; by default arrays are among the bytes.

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
            packed = pack(value, name, encoder)
            if packed is not value:
                changed[name] = packed
        whole = msgspec.structs.replace(message, **changed) if changed else message
        data = (encoder or _encoder).encode(whole)
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
        return PLAIN.values.decode(data)
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


def _not_ours(data: bytes | bytearray | memoryview, error: Exception) -> CodecError:
    return CodecError(
        f"{len(data)} bytes that are not a message of ours: {error}. Is the other end an "
        "openenv-gym of the same protocol version?",
        size=len(data),
    )
