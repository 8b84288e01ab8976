"""Recordings: a file with the messages of one session, as they passed its link.

The format, version 1::

    file    = b"OEGREC" version:1 zlib(frame frame ...)
    frame   = length:4 (big-endian) bytes
    first   : the head, a dict in msgpack: "environment", "options", "render_mode", the versions
              of "openenv_gym", "gymnasium", "numpy" and "python", and "time" (seconds since 1970)
    then    : a request and its reply in turn, as openenv_gym.wire.codec writes them: Open and
              Description first; Reset carries the seed and Result the outcome

A recording whose program was killed has what came before the last reset, and is read as far as it
goes. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import platform
import struct
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, BinaryIO

from openenv_gym.errors import CodecError, RecordingError
from openenv_gym.wire.codec import decode, decode_value, encode, encode_value
from openenv_gym.wire.messages import Description, Open, Reply, Request

MAGIC = b"OEGREC"
VERSION = 1

MAX_FRAME = 1 << 30
"""Bytes of one message; more is not ours."""

_CHUNK = 1 << 16
_length = struct.Struct(">I")


class RecordingWriter:
    """Writes a recording.

    Args:
        path: The file; one that is there is replaced.
        request: What opened the session.
        description: What the session said of itself.

    Raises:
        RecordingError: The file cannot be written.
    """

    def __init__(self, path: Path, request: Open, description: Description) -> None:
        try:
            self._file: BinaryIO = path.open("wb")
        except OSError as error:
            raise RecordingError(
                f"The recording {path} cannot be written: {error.strerror}.", path=str(path)
            ) from error
        self._packer = zlib.compressobj()
        self._file.write(MAGIC + bytes([VERSION]))
        head = {
            "environment": description.environment,
            "options": request.options,
            "render_mode": request.render_mode,
            "openenv_gym": version("openenv-gym"),
            "gymnasium": version("gymnasium"),
            "numpy": version("numpy"),
            "python": platform.python_version(),
            "time": time.time(),
        }
        try:
            self._write(encode_value(head))
            self.add(encode(request), encode(description))
            self.flush()
        except BaseException:
            self._file.close()
            raise

    def add(self, request: bytes, reply: bytes) -> None:
        """Add a request and its reply."""
        self._write(request)
        self._write(reply)

    def _write(self, data: bytes) -> None:
        self._file.write(self._packer.compress(_length.pack(len(data)) + data))

    def flush(self) -> None:
        """See that all so far is in the file."""
        self._file.write(self._packer.flush(zlib.Z_SYNC_FLUSH))
        self._file.flush()

    def close(self) -> None:
        """End the file; a second call does nothing."""
        if not self._file.closed:
            self._file.write(self._packer.flush())
            self._file.close()


@dataclass(frozen=True)
class Recording:
    """What a file has.

    Attributes:
        head: Environment, options, versions, time.
        request: What opened the session.
        description: Its Spaces and metadata.
        exchanges: Requests and their replies, in order.
    """

    head: dict[str, Any]
    request: Open
    description: Description
    exchanges: list[tuple[Request, Reply]]


def read_recording(path: str | Path) -> Recording:
    """Read a recording.

    Raises:
        RecordingError: There is no such file, or it is not a recording.
    """
    try:
        frames = _frames(Path(path))
        head = decode_value(next(frames))
        messages = [decode(frame) for frame in frames]
    except StopIteration:
        raise _not_valid(path, "it has no messages") from None
    except OSError as error:
        raise RecordingError(
            f"The recording {path} cannot be read: {error.strerror}.", path=str(path)
        ) from error
    except (CodecError, zlib.error) as error:
        raise _not_valid(path, str(error)) from error
    pairs = [*zip(messages[::2], messages[1::2], strict=False)]
    for request, reply in pairs:
        if not isinstance(request, Request) or not isinstance(reply, Reply):
            raise _not_valid(path, "its messages are not requests and replies in turn")
    if not pairs or not isinstance(pairs[0][0], Open) or not isinstance(pairs[0][1], Description):
        raise _not_valid(path, "it does not begin with the opening of a session")
    if not isinstance(head, dict):
        raise _not_valid(path, "its head is not a dict")
    (request, description), *exchanges = pairs
    return Recording(head, request, description, exchanges)  # type: ignore[arg-type]


def _frames(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        start = file.read(len(MAGIC) + 1)
        if start[:-1] != MAGIC:
            raise _not_valid(path, "it does not begin as one")
        if start[-1] != VERSION:
            raise _not_valid(path, f"its version is {start[-1]}, and {VERSION} is known here")
        unpacker, data = zlib.decompressobj(), bytearray()
        while chunk := file.read(_CHUNK):
            data += unpacker.decompress(chunk)
            place = 0
            while len(data) - place >= _length.size:
                (size,) = _length.unpack_from(data, place)
                if size > MAX_FRAME:
                    raise _not_valid(path, f"it announces a message of {size} bytes")
                end = place + _length.size + size
                if len(data) < end:
                    break
                yield bytes(data[place + _length.size : end])
                place = end
            del data[:place]


def _not_valid(path: str | Path, reason: str) -> RecordingError:
    return RecordingError(
        f"{path} is not a recording that can be read: {reason}. openenv_gym.record() and "
        "openenv-gym record write them.",
        path=str(path),
    )
