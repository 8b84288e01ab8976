"""The folder of a pipe: its key, which only its owner may have been able to write or read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

SOCKET, KEY = "socket", "key"
"""Names of the two files in the folder of a pipe."""

_LONGEST_KEY = 1 << 12


class NotPrivateError(OSError):
    """Another user owns a folder or file, or may use it."""


_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_private(folder: Path) -> os.stat_result:
    """Check that nobody else can put a socket or a key into a folder; return its status.

    Raises:
        NotPrivateError: Another user owns it, or may write in it.
        OSError: It cannot be looked at, or is not a folder.
    """
    status = os.stat(folder)
    _check(status, f"{folder}", _WRITE)
    return status


def read_key(folder: Path) -> bytes:
    """Return the key in a folder.

    Raises:
        NotPrivateError: Another user owns the folder or the key, or may write the one or read the
            other.
        OSError: There is no key.
    """
    # Who cannot enter the folder cannot read what is in it, whatever its mode.
    entered = check_private(folder).st_mode & (stat.S_IXGRP | stat.S_IXOTH)
    path = folder / KEY
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(file, "rb") as opened:
        status = os.fstat(file)
        if not stat.S_ISREG(status.st_mode):
            raise NotPrivateError(f"{path} is not a file.")
        _check(status, f"{path}", _WRITE | (entered << 2))
        return opened.read(_LONGEST_KEY)


def _check(status: os.stat_result, path: str, forbidden: int) -> None:
    if status.st_uid not in (os.geteuid(), 0):
        raise NotPrivateError(f"{path} belongs to another user, with the number {status.st_uid}.")
    if status.st_mode & forbidden:
        allowed = stat.S_IMODE(status.st_mode & ~forbidden)
        raise NotPrivateError(
            f"Other users may use {path}: its mode is {stat.S_IMODE(status.st_mode):o}, and may be "
            f"{allowed:o} at most."
        )
