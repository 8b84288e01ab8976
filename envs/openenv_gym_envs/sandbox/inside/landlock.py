"""Landlock: the kernel keeps this process, and all that it starts, to what is named here.

Works without any privilege, also in a container that may make no namespaces. What it does not cover
(sockets, signals before ABI 6, attributes of files) is left to
:mod:`~openenv_gym_envs.sandbox.inside.seccomp`. The numbers are those of ``linux/landlock.h``.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Sequence

from openenv_gym_envs.sandbox.inside.system import call, forbid_new_privileges

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_VERSION = 1  # flag: asks for the ABI
_PATH_BENEATH, _NET_PORT = 1, 2  # kinds of rules

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL_DEV = 1 << 14, 1 << 15
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_CONNECT_TCP, _BIND_TCP = 1 << 1, 1 << 0
_ABSTRACT_UNIX_SOCKET, _SIGNAL = 1 << 0, 1 << 1


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


class _NetPort(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def abi() -> int:
    """The version of Landlock that this kernel has; 0: none, or it may not be used."""
    try:
        return call(_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(
    read: Sequence[str],
    write: Sequence[str] = (),
    connect: Sequence[int] = (),
    version: int | None = None,
) -> None:
    """Keeps this process and all that it starts to these places, for ever.

    Files: nothing but what is named. Signals (from ABI 6): within. TCP (from ABI 4): only to the
    ports named. Memory of other processes: none.

    Args:
        read: Files and folders that can be read and executed; what is not there is left out.
        write: Such that can be changed as well.
        connect: Ports.
        version: No more than this version of Landlock can do; None: all that the kernel can.

    Raises:
        OSError: The kernel refuses.
    """
    version = abi() if version is None else min(version, abi())
    handled = _handled(version)
    rules = _Ruleset(
        handled,
        _CONNECT_TCP | _BIND_TCP if version >= 4 else 0,
        _ABSTRACT_UNIX_SOCKET | _SIGNAL if version >= 6 else 0,
    )
    # Older kernels know no more than the first fields, and take no longer structure.
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = call(_CREATE_RULESET, ctypes.byref(rules), size, 0)
    try:
        for path in read:
            _allow(ruleset, path, _READ & handled)
        for path in write:
            _allow(ruleset, path, handled)
        for port in connect if version >= 4 else ():
            rule = _NetPort(_CONNECT_TCP, port)
            call(_ADD_RULE, ruleset, _NET_PORT, ctypes.byref(rule), 0)
        forbid_new_privileges()
        call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _handled(version: int) -> int:
    """All rights to files that this version knows."""
    known = 13 if version == 1 else 14 if version == 2 else 15 if version < 5 else 16
    return (1 << known) - 1


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        call(_ADD_RULE, ruleset, _PATH_BENEATH, ctypes.byref(_PathBeneath(rights, fd)), 0)
    finally:
        os.close(fd)
