"""Shared memory: large arrays of replies reach a client on the same machine by a memory file.

Through a socket an array is copied four times, by a memory file twice: into it, and out of it. The
client makes the file, of a size that never changes again: so that nothing which the other end does
to it can end the client's process (SIGBUS), and no file of the other end's is ever read. Its memory
is what was written, not its size. The other end writes batches of observations into its two halves
in turn, so each stands until the one after the next.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import mmap
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_fcntl: Any = importlib.import_module("fcntl") if os.name == "posix" else None
_SEALS = 0  # for a system without memory files
if hasattr(_fcntl, "F_ADD_SEALS"):
    _SEALS = _fcntl.F_SEAL_SHRINK | _fcntl.F_SEAL_GROW | _fcntl.F_SEAL_SEAL

SIZE = 1 << 28
"""Bytes of a memory file; what has no room in half of it goes through the socket."""

LARGE = 1 << 14
"""Bytes of an array from which on it goes into the file; a smaller one is as fast in a message."""

_ALIGNED = 64


class SharedMemory:
    """A mapped memory file.

    Args:
        file: Descriptor of the file, which stays the caller's.
        size: Its size in bytes.
    """

    def __init__(self, file: int, size: int) -> None:
        self._map = mmap.mmap(file, size)
        self._size = size

    def array(self, place: int, dtype: np.dtype[Any], shape: Sequence[int]) -> NDArray[Any]:
        """Return the array that lies at a place of the file, without copying it."""
        return np.ndarray(shape, dtype, self._map, place)

    def close(self) -> None:
        """Let go of the file, now or with the last array that lies in it."""
        with contextlib.suppress(BufferError):
            self._map.close()


class ReadMemory(SharedMemory):
    """The client's end: checks all places that the other end names, for they may be lies.

    Args:
        file: Descriptor of the file.
        size: Its size in bytes.
    """

    def __init__(self, file: int, size: int = SIZE) -> None:
        super().__init__(file, size)
        self._left = size

    def begin(self) -> None:
        """Begin with a reply: its arrays may have as many bytes as the file, all together."""
        self._left = self._size

    def find(
        self, place: int, dtype: np.dtype[Any], shape: Sequence[int], size: int
    ) -> NDArray[Any]:
        """Return the array at a place, which the other end named.

        Raises:
            ValueError: There can be none.
        """
        self._left -= size
        if place % _ALIGNED or place + size > self._size or self._left < 0:
            raise ValueError(f"an array of {size} bytes at {place} in a file of {self._size}")
        return self.array(place, dtype, shape)


class WriteMemory(SharedMemory):
    """The end that steps: puts the arrays of one reply after the other into the file.

    Args:
        file: Descriptor of the file.
        size: Its size in bytes.
    """

    def __init__(self, file: int, size: int) -> None:
        super().__init__(file, size)
        # A child that an environment forks has no use for what its parent writes.
        self._map.madvise(getattr(mmap, "MADV_DONTFORK", mmap.MADV_NORMAL))
        self._address = _address(self.array(0, np.dtype(np.uint8), (1,)))
        self._half = size // 2 // _ALIGNED * _ALIGNED
        self._begin = self._next = self._end_of_batch = 0
        self._has_batch = False

    def begin(self) -> None:
        """Begin with a reply: behind the last batch, if it has none of its own."""
        self._next, self._has_batch = self._end_of_batch, False

    def empty(self, shape: Sequence[int], dtype: Any) -> NDArray[Any]:
        """Return an array for a batch of the reply that was begun, like ``numpy.empty``.

        It lies in the file, if it is large and there is room: in the half that the last batch is
        not in.
        """
        if not self._has_batch:
            self._has_batch = True
            self._begin = self._next = self._half - self._begin
        kind = np.dtype(dtype)
        place = self._take(math.prod(shape) * kind.itemsize)
        self._end_of_batch = self._next
        return np.empty(shape, kind) if place is None else self.array(place, kind, shape)

    def place_of(self, array: NDArray[Any]) -> int | None:
        """Return where an array that :meth:`empty` gave lies; None for any other."""
        place = _address(array) - self._address
        inside = self._begin <= place < self._next and array.flags.c_contiguous
        return place if inside else None

    def put(self, array: NDArray[Any]) -> int | None:
        """Copy an array into the file; return its place, or None where it has none there."""
        place = self._take(array.nbytes)
        if place is not None:
            self.array(place, array.dtype, array.shape)[...] = array
        return place

    def _take(self, size: int) -> int | None:
        place, end = self._next, self._next + size
        if size < LARGE or end > self._begin + self._half:
            return None
        self._next = -(-end // _ALIGNED) * _ALIGNED
        return place


def make_file(size: int = SIZE) -> int | None:
    """Make a memory file whose size never changes; return its descriptor, None where it can't be.

    The caller closes it: a mapping keeps the memory without it.
    """
    if not _SEALS:
        return None
    try:
        file = os.memfd_create("openenv-gym", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:
        return None
    try:
        os.ftruncate(file, size)
        _fcntl.fcntl(file, _fcntl.F_ADD_SEALS, _SEALS)
    except OSError:  # a limit of the process's
        os.close(file)
        return None
    return file


def map_for_reading(file: int) -> ReadMemory | None:
    """Return the client's end of a file of :func:`make_file`; None where it cannot be mapped."""
    try:
        return ReadMemory(file)
    except (OSError, ValueError):
        return None


def map_for_writing(files: Sequence[int]) -> WriteMemory | None:
    """Return the end that steps, for what a client handed over; None for all but one file of ours.

    Args:
        files: The descriptors, which are closed.
    """
    try:
        if len(files) != 1 or not _SEALS:
            return None
        if _fcntl.fcntl(files[0], _fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            return None
        return WriteMemory(files[0], min(os.fstat(files[0]).st_size, SIZE))
    except (OSError, ValueError):  # another kind of file; too small for any array
        return None
    finally:
        for file in files:
            os.close(file)


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address
