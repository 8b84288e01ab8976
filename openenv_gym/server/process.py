"""A server's process: its memory, its limits, and its end.

What an environment started must not outlive its owner, who may have been killed. An owner that
lives ends the group of its server. That cannot be relied on, or be asked for: the connection of one
that was killed ends before the process does.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import stat
import sys

from openenv_gym.errors import OptionError

_owner_left = False
_owner: int | None = None


def end_group_at_exit() -> None:
    """Has :func:`end_group` called at the end of this process, last of all."""
    atexit.register(end_group)


def set_owner(pid: int) -> None:
    """Note which process this server ends with, where that is not its parent."""
    global _owner
    _owner = pid


def owner() -> int:
    """Return the number of the process that this server ends with, where it has an owner."""
    return os.getppid() if _owner is None else _owner


def owner_left() -> None:
    """Notes that the owner of this server is gone, or has closed it."""
    global _owner_left
    _owner_left = True


def end_group() -> None:
    """Ends the group of this process, and it as well, if its owner left.

    Before that the owner wants to know how this process ended.
    """
    if _owner_left and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


_claims: dict[int, socket.socket] = {}  # by the inode of a bound socket


def check_alone(environment: str) -> None:
    """Check that no other process serves at the same address: each would have its own sessions.

    Several do where uvicorn or another server starts workers, which share a bound socket. That
    socket's number is claimed as a name in the kernel, as long as this process lives.

    Raises:
        OptionError: Another worker was here before.
    """
    if multiprocessing.parent_process() is None and "gunicorn" not in sys.modules:
        return
    for inode in _bound():
        if inode in _claims:
            continue
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0openenv-gym-serves-{inode}")
        except OSError as error:
            claim.close()
            raise OptionError(
                f"{environment} is served by several worker processes, but its sessions are in the "
                "memory of one, and the next request of a client might come to another. Use one "
                "worker (--workers 1).",
                environment=environment,
            ) from error
        _claims[inode] = claim


def _bound() -> list[int]:
    """The inodes of this process's sockets that are bound to an address, and not connected."""
    inodes = []
    for fd in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else ():
        with contextlib.suppress(OSError):
            status = os.stat(int(fd))
            if not stat.S_ISSOCK(status.st_mode):
                continue
            with socket.socket(fileno=os.dup(int(fd))) as found:
                if found.type != socket.SOCK_STREAM or not found.getsockname()[-1:]:
                    continue
                try:
                    found.getpeername()
                except OSError:
                    inodes.append(status.st_ino)
    return inodes


# Of <malloc.h>.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_BLOCK = 32 << 20  # the most that glibc takes
_KEPT = 64 << 20


def keep_freed_memory() -> None:
    """Lets malloc keep what is freed, for the next step.

    Otherwise each batch of pictures is given back to the kernel and asked for again, page by page:
    with 64 lanes of 84 x 84 x 4 that took three quarters of a step. Where the C library is not
    glibc, nothing changes.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, _LARGEST_BLOCK)
        mallopt(_TRIM_THRESHOLD, _KEPT)


def check_limit(name: str, limit: float | None, reported: str) -> None:
    """Check a limit; None means without a limit.

    Args:
        name: Its name, for the error's fields.
        limit: The limit.
        reported: The limit as it was given, for the error.

    Raises:
        OptionError: It is invalid.
    """
    if limit is not None and not limit > 0:
        raise OptionError(f"{reported} is not a valid limit: give a number above 0.", name=name)
