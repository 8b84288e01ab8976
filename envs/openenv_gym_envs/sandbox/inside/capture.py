"""Output of code, bounded, and still there when the process that wrote it is not."""

from __future__ import annotations

import io
import mmap
import struct
from typing import Any

_WRITTEN = struct.Struct("=Q")
_LONGEST_CHARACTER = 4  # bytes in UTF-8


class Capture:
    """Memory that a process shares with its parent, and writes its output to.

    The writer may be hostile: whatever it does to the memory, what is read is a text of at most as
    many characters.

    Args:
        limit: Most characters of the text.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room = limit * _LONGEST_CHARACTER
        self._memory = mmap.mmap(-1, _WRITTEN.size + self._room)

    def clear(self) -> None:
        """Forgets what was written."""
        _WRITTEN.pack_into(self._memory, 0, 0)

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Appends as much as there is room for; the rest is counted only."""
        written = self.written
        at = _WRITTEN.size + min(written, self._room)
        part = bytes(data[: len(self._memory) - at])
        self._memory[at : at + len(part)] = part
        _WRITTEN.pack_into(self._memory, 0, written + len(data))
        return len(data)

    @property
    def written(self) -> int:
        """How many bytes were written, kept or not."""
        written: int = _WRITTEN.unpack_from(self._memory)[0]
        return written

    def read(self) -> str:
        """The text, which says so where it was cut."""
        written = self.written
        kept = self._memory[_WRITTEN.size : _WRITTEN.size + min(written, self._room)]
        return cut(kept.decode(errors="replace"), self._limit, written > self._room)

    def close(self) -> None:
        """Lets go of the memory."""
        self._memory.close()


def cut(text: str, limit: int, more: bool = False) -> str:
    """The text, if it is no longer than the limit; else its beginning, and a note.

    Args:
        text: The text.
        limit: Most characters of what is returned.
        more: There was more of it, which is lost already.
    """
    if len(text) <= limit and not more:
        return text
    note = f"\n[cut at {limit} characters]\n"
    return text[: limit - len(note)] + note


class Output(io.RawIOBase):
    """A capture as the binary file behind ``sys.stdout``."""

    name = "<output>"

    def __init__(self, capture: Capture) -> None:
        super().__init__()
        self._capture = capture

    def writable(self) -> bool:
        """Implements io.RawIOBase.writable."""
        return True

    def write(self, data: Any) -> int:
        """Implements io.RawIOBase.write."""
        return self._capture.write(memoryview(data).cast("B"))


def text_file(capture: Capture) -> io.TextIOWrapper:
    """A capture as a text file: ``sys.stdout``."""
    return io.TextIOWrapper(
        Output(capture),
        encoding="utf-8",
        errors="backslashreplace",
        newline="\n",
        write_through=True,
    )
