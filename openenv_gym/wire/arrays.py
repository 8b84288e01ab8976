"""Arrays as bytes: one byte that gives the length of the head, the head, and the memory.

The head gives dtype and shape. A session sends the same few over and over, so both ends remember
them.
"""

from __future__ import annotations

import math
from typing import Any

import msgspec
import numpy as np

_HEADS_REMEMBERED = 4096  # so that a hostile peer does not fill the memory with heads
_heads: dict[tuple[np.dtype[Any], tuple[int, ...]], bytes] = {}
_shapes: dict[bytes, tuple[np.dtype[Any], tuple[int, ...], int]] = {}

_SMALL = 4096  # bytes that are copied once more sooner than looked at through a view


def array_head(array: Any) -> bytes:
    """Return the head of an array, or of a scalar of numpy's.

    Raises:
        TypeError: It is not one of plain numbers, texts or times.
    """
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


def array_bytes(array: np.ndarray[Any, Any]) -> bytes:
    """Return an array as bytes.

    Raises:
        TypeError: It is not one of plain numbers, texts or times.
    """
    if array.nbytes <= _SMALL:
        return array_head(array) + array.tobytes()
    memory = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    # As bytes whatever the dtype: a memoryview of times or texts is not to be had.
    raw: Any = memory.reshape(-1).view(np.uint8)
    return b"".join((array_head(array), raw))


def split_head(data: memoryview) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """Return what a head gives: dtype, shape, bytes of the memory; and where the head ends.

    Raises:
        Exception: Any at all; there is no such head.
    """
    end = 1 + data[0]
    head = bytes(data[:end])
    return *(_shapes.get(head) or _read_head(head)), end


def view(data: memoryview) -> np.ndarray[Any, Any]:
    """Return the array in the bytes, without copying it.

    Raises:
        Exception: Any at all; there is none.
    """
    dtype, shape, size, end = split_head(data)
    if len(data) - end != size:
        raise ValueError(f"{len(data) - end} bytes for an array of {size}")
    return np.ndarray(shape, dtype, data, end)


def own(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the array as the caller's own: writable, aligned, and in memory that is nobody else's.

    Of a large picture that is its part of the message's memory, which nobody else has any more.
    """
    flags = array.flags
    if array.nbytes > _SMALL and flags.writeable and flags.aligned:
        return array
    return array.copy()
