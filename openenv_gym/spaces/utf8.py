"""Utf8: the Space of any Unicode text up to a length.

gymnasium's own ``Text`` needs a list of its characters, which takes seconds and tens of megabytes
for all of Unicode. In version 1.4 its values come back wrong from ``AsyncVectorEnv``'s shared
memory: that memory is read once, when the vector environment is made, and a text is decoded only
then. So Utf8 has its own functions for gymnasium's vector environments: reading returns an object
that decodes when it is copied, and ``AsyncVectorEnv`` copies at each step.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from copy import deepcopy
from multiprocessing.context import BaseContext
from multiprocessing.sharedctypes import SynchronizedArray
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Space, Tuple
from gymnasium.spaces.utils import (
    flatdim,
    flatten,
    flatten_space,
    is_space_dtype_shape_equiv,
    unflatten,
)
from gymnasium.vector.utils import (
    batch_differing_spaces,
    batch_space,
    concatenate,
    create_empty_array,
    create_shared_memory,
    read_from_shared_memory,
    write_to_shared_memory,
)
from gymnasium.wrappers.utils import create_zero_array
from numpy.typing import NDArray

# The ranges from which samples are drawn: all of Unicode except the surrogates, which are not valid
# in texts. The first ranges make most samples readable.
_RANGES = ((0x20, 0x7F), (0xA0, 0x250), (0x20, 0x7F), (0x4E00, 0x9FFF), (0x1F300, 0x1F650))
_RANGES_RARE = ((0x0, 0xD800), (0xE000, 0x110000))
_SAMPLE_LENGTH = 32


class Utf8(Space[str]):
    """Any Unicode text of ``min_length`` to ``max_length`` code points.

    A lone surrogate is not valid Unicode (UTF-8 cannot encode it), so strings with one are not in
    the Space.

    Args:
        max_length: Most code points.
        min_length: Fewest code points.
        seed: Seed of :meth:`sample`.

    Raises:
        ValueError: The lengths are not 0 <= min_length <= max_length.
    """

    def __init__(
        self,
        max_length: int,
        *,
        min_length: int = 0,
        seed: int | np.random.Generator | None = None,
    ) -> None:
        if not 0 <= min_length <= max_length:
            raise ValueError(
                f"Utf8 needs 0 <= min_length <= max_length, not {min_length} and {max_length}"
            )
        self.max_length = int(max_length)
        self.min_length = int(min_length)
        super().__init__(dtype=str, seed=seed)

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """Return a random text of at most 32 code points, or of min_length if that is more.

        Raises:
            ValueError: A mask or probability was given, which texts do not have.
        """
        if mask is not None or probability is not None:
            raise ValueError("Utf8.sample() takes no mask and no probability")
        longest = max(self.min_length, min(self.max_length, _SAMPLE_LENGTH))
        length = int(self.np_random.integers(self.min_length, longest + 1))
        return "".join(self._character() for _ in range(length))

    def _character(self) -> str:
        ranges = _RANGES_RARE if self.np_random.random() < 0.1 else _RANGES
        low, high = ranges[int(self.np_random.integers(len(ranges)))]
        return chr(int(self.np_random.integers(low, high)))

    def contains(self, x: Any) -> bool:
        """Return whether x is valid Unicode text with a length within the bounds."""
        if not isinstance(x, str) or not self.min_length <= len(x) <= self.max_length:
            return False
        return x.isascii() or _encodes(x)

    @property
    def is_np_flattenable(self) -> bool:
        """True: texts flatten to code points."""
        return True

    def __repr__(self) -> str:
        return f"Utf8({self.max_length}, min_length={self.min_length})"

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Utf8)
            and type(self) is type(other)
            and self.max_length == other.max_length
            and self.min_length == other.min_length
        )

    def __hash__(self) -> int:
        return hash((Utf8, self.max_length, self.min_length))


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# Flattening: code points, with -1 after the end.


def _flatdim(space: Utf8) -> int:
    return space.max_length


def _flatten_space(space: Utf8) -> Box:
    return Box(-1, 0x10FFFF, (space.max_length,), np.int32)


def _flatten(space: Utf8, x: str) -> NDArray[np.int32]:
    points = np.full(space.max_length, -1, np.int32)
    points[: len(x)] = [ord(character) for character in x]
    return points


def _unflatten(space: Utf8, x: NDArray[np.int32]) -> str:
    # Beside floats in a Dict the code points are floats too.
    return "".join(chr(int(point)) for point in x if point >= 0)


# Vector environments: a batch of texts is a tuple of str, as for gymnasium's Text.


# There is no function for iterate(): if all Spaces of a Tuple have one, gymnasium iterates over
# each part again; otherwise it iterates item by item, which is right for texts.


def _batch_space(space: Utf8, n: int = 1) -> Tuple[Any]:
    batch: Tuple[Any] = Tuple([deepcopy(space) for _ in range(n)], seed=deepcopy(space.np_random))
    # Each is seeded on its own, or all would sample the same; a copy leaves the Space unchanged.
    batch.seed([int(seed) for seed in deepcopy(space.np_random).integers(0, 2**31, n)])
    return batch


def _batch_differing_spaces(spaces: Any) -> Tuple[Any]:
    return Tuple([deepcopy(space) for space in spaces], seed=deepcopy(spaces[0].np_random))


def _is_space_dtype_shape_equiv(space: Utf8, other: Any) -> bool:
    # Slots in shared memory have the size that the first environment needs.
    return isinstance(other, Utf8) and space.max_length == other.max_length


def _concatenate(space: Utf8, items: Any, out: Any) -> tuple[str, ...]:
    return tuple(items)


def _create_empty_array(space: Utf8, n: int = 1, fn: Any = np.zeros) -> tuple[str, ...]:
    return ("",) * n


def _create_zero_array(space: Utf8) -> str:
    return " " * space.min_length


class _SharedTexts:
    """Texts in shared memory, each in a slot: length in bytes (int32), then the bytes.

    Decodes when it is copied, since gymnasium reads the shared memory only once.
    """

    def __init__(self, slots: NDArray[np.uint8]) -> None:
        self.slots = slots

    def write(self, index: int, text: str) -> None:
        data = text.encode()
        slot = self.slots[index]
        if len(data) > len(slot) - 4:
            raise ValueError(
                f"A text of {len(data)} bytes does not fit in the Space's {len(slot) - 4} bytes"
            )
        slot[:4].view(np.int32)[0] = len(data)
        slot[4 : 4 + len(data)] = np.frombuffer(data, np.uint8)

    def __iter__(self) -> Iterator[str]:
        for slot in self.slots:
            yield slot[4 : 4 + int(slot[:4].view(np.int32)[0])].tobytes().decode()

    def __deepcopy__(self, memo: dict[int, Any]) -> tuple[str, ...]:
        return tuple(self)


def _slots(memory: SynchronizedArray[Any], space: Utf8) -> NDArray[np.uint8]:
    shared: Any = memory.get_obj()
    slots: NDArray[np.uint8] = np.frombuffer(shared, np.uint8)
    return slots.reshape(-1, _slot_size(space))


def _slot_size(space: Utf8) -> int:
    return 4 + 4 * space.max_length  # a code point takes up to four bytes


def _create_shared_memory(
    space: Utf8,
    n: int = 1,
    ctx: BaseContext = multiprocessing,  # type: ignore[assignment]  # gymnasium's own default
) -> SynchronizedArray[Any]:
    return ctx.Array("B", n * _slot_size(space))


def _read_from_shared_memory(space: Utf8, shared_memory: SynchronizedArray[Any], n: int = 1) -> Any:
    return _SharedTexts(_slots(shared_memory, space))


def _write_to_shared_memory(
    space: Utf8, index: int, value: str, shared_memory: SynchronizedArray[Any]
) -> None:
    _SharedTexts(_slots(shared_memory, space)).write(index, value)


_FUNCTIONS: dict[Any, Callable[..., Any]] = {
    flatdim: _flatdim,
    flatten_space: _flatten_space,
    flatten: _flatten,
    unflatten: _unflatten,
    batch_space: _batch_space,
    batch_differing_spaces: _batch_differing_spaces,
    is_space_dtype_shape_equiv: _is_space_dtype_shape_equiv,
    concatenate: _concatenate,
    create_empty_array: _create_empty_array,
    create_shared_memory: _create_shared_memory,
    read_from_shared_memory: _read_from_shared_memory,
    write_to_shared_memory: _write_to_shared_memory,
    create_zero_array: _create_zero_array,
}
for _function, _implementation in _FUNCTIONS.items():
    _function.register(Utf8, _implementation)
