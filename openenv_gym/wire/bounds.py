"""What decoding a message may cost, checked before it is decoded.

Whoever chooses the members of a set, or the keys of a dict, can choose such that all have one hash:
then each is compared with all before it, for hours, in code that nothing interrupts. Python guards
texts and bytes against that. Of whole numbers of up to 64 bits, and of other numbers, no more than
some dozens have one hash. All else is counted here.
"""

from __future__ import annotations

import struct
from struct import unpack_from

CHEAP = 4096
"""Bytes of a message, or of its rest, that cannot hold enough to take long."""

LONGEST_INTEGER = 4096
"""Bytes of a whole number beyond 64 bits: turning it into a text takes time by their square."""

_COMPARISONS = 1 << 24  # of members that may have one hash, in all sets of a message: a second
_TUPLE, _SET, _FROZENSET, _INTEGER, _GRAPH = 3, 4, 5, 6, 7  # extension types, as the codec has them
_CONTAINERS = frozenset({_TUPLE, _SET, _FROZENSET, _GRAPH})

# What a first byte of msgpack says: how many bytes the value has with its head, where that is known
# by it; else how its size is written. A negative number stands for a container or an extension.
_ARRAY, _MAP, _EXTENSION, _SIZED = -1, -2, -3, -4
_SETS, _MEMBERS = -5, -6  # what holds the array of a set, and that array


def _kinds() -> list[tuple[int, int, str]]:
    """For each first byte: bytes of the value or kind, bytes of the head, format of the size."""
    kinds = [(1, 0, "")] * 256
    for byte in range(0x80, 0x90):
        kinds[byte] = (_MAP, 1, "")
    for byte in range(0x90, 0xA0):
        kinds[byte] = (_ARRAY, 1, "")
    for byte in range(0xA0, 0xC0):
        kinds[byte] = (1 + byte - 0xA0, 0, "")
    for first, kind in ((0xC4, _SIZED), (0xC7, _EXTENSION), (0xD9, _SIZED)):
        for byte, size in zip(range(first, first + 3), (1, 2, 4), strict=True):
            kinds[byte] = (kind, 1 + size, ">" + " BH I"[size])
    for first, kind in ((0xDC, _ARRAY), (0xDE, _MAP)):
        kinds[first], kinds[first + 1] = (kind, 3, ">H"), (kind, 5, ">I")
    for byte, size in zip(range(0xCC, 0xD4), (1, 2, 4, 8) * 2, strict=True):
        kinds[byte] = (1 + size, 0, "")
    kinds[0xCA], kinds[0xCB] = (5, 0, ""), (9, 0, "")
    for byte, size in zip(range(0xD4, 0xD9), (1, 2, 4, 8, 16), strict=True):
        kinds[byte] = (_EXTENSION, 1, str(size))
    return kinds


_KINDS = _kinds()
_SMALL = bytes([*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)])  # values of a single byte
_FEW, _RUN = 16, 256
_PLAIN_KEY = frozenset({*range(0x80), *range(0xA0, 0xC0), 0xC0, 0xC2, 0xC3}) | frozenset(
    {*range(0xC4, 0xC7), *range(0xCA, 0xD4), *range(0xD9, 0xDC), *range(0xE0, 0x100)}
)


def check(data: bytes | bytearray | memoryview) -> None:
    """Check that decoding takes no more time than the size of a message lets expect.

    Bytes that are not msgpack are left to the decoder, which says what is wrong.

    Raises:
        ValueError: It would, or something in it is larger than anything of ours.
    """
    try:
        _Scan(data).run()
    except (IndexError, struct.error):
        return


class _Scan:
    """Goes through the values of a message.

    Args:
        data: The message.
    """

    def __init__(self, data: bytes | bytearray | memoryview) -> None:
        self._data = data
        self._at = 0
        # Of the container that it is in: values to come, kind, and members of a set that count.
        self._left, self._kind, self._strangers = 1, _ARRAY, 0
        self._outer: list[tuple[int, int, int]] = []
        self._comparisons = 0

    def run(self) -> None:
        data, cheap = self._data, len(self._data) - CHEAP
        while self._at < cheap:
            while not self._left:
                if not self._outer:
                    return
                self._left, self._kind, self._strangers = self._outer.pop()
            self._left -= 1
            first = data[self._at]
            size, head, written = _KINDS[first]
            if self._kind != _ARRAY:
                self._check(first, size)
            if size > 0:
                self._skip(first, size)
            elif size == _SIZED:
                self._at += head + unpack_from(written, data, self._at + 1)[0]
            elif size == _EXTENSION:
                self._extension(head, written)
            else:
                self._container(first, size, head, written)

    def _check(self, first: int, size: int) -> None:
        """Look at a key or value of a dict, or at a member of a set."""
        if self._kind == _MAP and self._left & 1 and first not in _PLAIN_KEY:
            raise ValueError("a key of a dict is neither a text nor a number")
        if self._kind == _MEMBERS and size < 0 and size != _SIZED:
            self._strangers += 1
            self._comparisons += 2 * self._strangers
            if self._comparisons > _COMPARISONS:
                raise ValueError("a set has too many members that are neither texts nor numbers")

    def _skip(self, first: int, size: int) -> None:
        """Pass a value of known size, and all of the same kind behind it, at C's speed."""
        self._at += size
        if self._kind != _MAP and self._left > _FEW:
            end = self._at + size * min(self._left, _RUN)
            heads = bytes(self._data[self._at : end : size])
            run = len(heads) - len(heads.lstrip(_SMALL if size == 1 else bytes([first])))
            self._left -= run
            self._at += run * size

    def _extension(self, head: int, written: str) -> None:
        size = int(written) if head == 1 else unpack_from(written, self._data, self._at + 1)[0]
        code = self._data[self._at + head]
        self._at += head + 1
        if code in _CONTAINERS:  # an array of values is in it
            self._enter(1, _SETS if code in (_SET, _FROZENSET) else _ARRAY)
        elif code == _INTEGER and size > LONGEST_INTEGER:
            raise ValueError(f"a whole number has {size} bytes")
        else:
            self._at += size

    def _container(self, first: int, size: int, head: int, written: str) -> None:
        count = first & 0xF if head == 1 else unpack_from(written, self._data, self._at + 1)[0]
        self._at += head
        if size == _MAP:
            self._enter(2 * count, _MAP)
        else:
            self._enter(count, _MEMBERS if self._kind == _SETS else _ARRAY)

    def _enter(self, count: int, kind: int) -> None:
        self._outer.append((self._left, self._kind, self._strangers))
        self._left, self._kind, self._strangers = count, kind, 0
