"""What a message may cost whoever decodes it: the other end may be hostile.

Decoding takes time and memory in proportion to the bytes, with two exceptions. Members of sets and
keys of dicts that hash alike take the square of it, in C code that nothing can interrupt. And a
byte may become an empty list, which takes 64 in memory. So :func:`check` looks at the structure of
messages before they are decoded, and :func:`check_members` at the members before they are a set.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
from msgspec import Raw

SMALL = 1 << 13
"""Bytes of a message that is decoded as it is: it costs a millisecond or two at most."""

MAX_STRUCTURE = 8 << 20
"""Bytes of lists, dicts and numbers in a message; arrays, texts and bytes come on top of that."""

MAX_MEMBERS = 1 << 20
"""Members of all lists and dicts of a message together."""

MAX_INTEGER = 4096
"""Bytes of one whole number."""

_SMALL_PART = 1024  # bytes of a part of a message that is not looked into
_FEW = 64  # members that may hash alike
_DEEP, _SHORT = 64, 1 << 20  # levels of a message; bytes of one whose levels are not counted

# First bytes of msgpack: of an array (fixarray, array 16, array 32), a map, an extension.
_ARRAYS = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))
_MAPS = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
_ARRAY_32 = b"\xdd"
_COUNTS = {0xDC: 3, 0xDE: 3, 0xDD: 5, 0xDF: 5}
"""Sizes of the heads of arrays and maps, with the count of members at their end."""

_HEADS = {0xC7: 3, 0xC8: 4, 0xC9: 6}
"""Sizes of the heads of extensions, with the code at their end; those of a fixed size are small."""

_NO_KEYS = _ARRAYS | _MAPS | frozenset((*_HEADS, *range(0xD4, 0xD9)))
"""First bytes of what cannot be a key of a dict."""

_scalars = msgspec.msgpack.Decoder(list[bool | int | float | str | None])
_list = msgspec.msgpack.Decoder(list[Raw])
_texts = msgspec.msgpack.Decoder(dict[str, Raw])


_FIXED_ARRAY, _FIXED_TEXT = 0x90, 0xA0
_BYTES = {0xD9: 2, 0xDA: 3, 0xDB: 5, 0xC4: 2, 0xC5: 3, 0xC6: 5}
"""Sizes of the heads of texts and bytes that are not of a fixed size."""


def is_one_value(data: bytes | bytearray | memoryview, code: int) -> bool:
    """Return whether a message is mostly one array, text or bytes, which is known in no time.

    Args:
        data: The message: its kind, and its fields, of which that value is the first.
        code: Of the extension type of arrays.
    """
    if data[0] & 0xF0 != _FIXED_ARRAY or data[1] & 0xE0 != _FIXED_TEXT:
        return False
    place = 2 + (data[1] & 0x1F)
    kind = data[place]
    if kind in _BYTES:
        end = place + _BYTES[kind]
    elif kind in _HEADS:
        end = place + _HEADS[kind] - 1
        if data[end] != code:
            return False
    else:
        return False
    return len(data) - int.from_bytes(data[place + 1 : end], "big") <= SMALL


def check(data: bytes | bytearray | memoryview, nested: frozenset[int]) -> None:
    """Check the structure of a message.

    Args:
        data: The message, or a part of it.
        nested: Codes of the extension types whose bytes are msgpack again.

    Raises:
        ValueError: It would cost too much to decode.
        MsgspecError: It is not msgpack, or a dict has keys that no dict of ours has.
    """
    parts: list[Any] = [data]
    structure, members, looked_at = len(data), 0, 0
    while parts:
        part = parts.pop()
        first = part[0]
        looked_at += len(part)
        if looked_at > _DEEP * max(len(data), _SHORT):
            raise ValueError("large lists or dicts that are nested too deeply")
        if first in _ARRAYS or first in _MAPS:
            members += (count := _count(part, first))
            if members > MAX_MEMBERS:
                raise ValueError(
                    f"lists and dicts with more than {MAX_MEMBERS} members: put numbers into arrays"
                )
            items: Any = _items(part, count) if first in _ARRAYS else _values(part, first, count)
        else:
            inside = _inside(part, first, nested)
            if inside is None:
                structure -= len(part)
            else:
                parts.append(inside)
            continue
        parts += [item for raw in items if len(item := memoryview(raw)) > _SMALL_PART]
    if structure > MAX_STRUCTURE:
        raise ValueError(
            f"{structure} bytes of lists, dicts and numbers, of which {MAX_STRUCTURE} are allowed: "
            "put numbers into arrays"
        )


def _count(part: Any, first: int) -> int:
    """How many members a list or a dict has."""
    size = _COUNTS.get(first)
    return first & 0x0F if size is None else int.from_bytes(part[1:size], "big")


def _items(part: Any, count: int) -> Any:
    """The items of a list that may hold others."""
    if count <= _FEW:
        return _list.decode(part)
    try:
        _scalars.decode(part)
    except msgspec.ValidationError:
        return _list.decode(part)
    return ()


def _values(part: Any, first: int, count: int) -> Any:
    """The values of a dict whose keys are plain."""
    try:
        return _texts.decode(part).values()
    except msgspec.ValidationError:  # other keys than texts: read it as a list of both
        head = _ARRAY_32 + (2 * count).to_bytes(4, "big")
        items = _list.decode(b"".join((head, memoryview(part)[_COUNTS.get(first, 1) :])))
        if not _NO_KEYS.isdisjoint(memoryview(key)[0] for key in items[::2]):
            raise ValueError("a dict with keys that are not plain") from None
        return items[1::2]


def _inside(part: Any, first: int, nested: frozenset[int]) -> memoryview | None:
    """The msgpack in an extension; None for all other parts that hold no others."""
    head = _HEADS.get(first)
    if head is None or part[head - 1] not in nested:
        return None
    return memoryview(part)[head:] if len(part) > head else None


def check_members(items: list[Any]) -> list[Any]:
    """Check the members of a set, and return them.

    Raises:
        ValueError: Too many hash alike.
        TypeError: One has no hash.
    """
    if len(items) > _FEW:
        hashes = np.fromiter(map(hash, items), np.int64, len(items))
        hashes.sort()
        if (hashes[_FEW:] == hashes[:-_FEW]).any():
            raise ValueError(f"a set of {len(items)} members of which more than {_FEW} hash alike")
    return items
