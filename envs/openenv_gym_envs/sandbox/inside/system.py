"""System calls that the standard library has no functions for."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)

_SET_DUMPABLE = 4
_SET_SECCOMP, _FILTER = 22, 2
_SET_DEATH_SIGNAL, _SET_CHILD_SUBREAPER, _SET_NO_NEW_PRIVILEGES = 1, 36, 38  # of prctl


def call(number: int, *arguments: Any) -> int:
    """A system call by its number.

    Raises:
        OSError: The kernel refused it.
    """
    # By the machine's word: as ints they would be cut to 32 bits.
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    return _checked(_libc.syscall(ctypes.c_long(number), *words))


def forbid_new_privileges() -> None:
    """No program that this process starts will ever have more privileges than it."""
    _prctl(_SET_NO_NEW_PRIVILEGES, 1)


def die_with_parent() -> None:
    """Has the kernel kill this process when its parent ends."""
    _prctl(_SET_DEATH_SIGNAL, signal.SIGKILL)


def hide_memory() -> None:
    """Keeps processes of the same user from reading or writing the memory of this one."""
    _prctl(_SET_DUMPABLE, 0)


def adopt_orphans() -> None:
    """Makes this process the parent of all that its children leave behind."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    zero = ctypes.c_ulong(0)
    _checked(_libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero))


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def load_filter(program: bytes) -> None:
    """Puts a filter of system calls in force for this process and all that it starts.

    Args:
        program: What :meth:`~.seccomp.Filter.program` returned, of instructions of eight bytes.
    """
    words = _Program(len(program) // 8, program)
    _checked(_libc.prctl(_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(words), 0, 0))


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def drop_capabilities() -> None:
    """Gives up all of root's privileges, where there are any."""
    version_3 = 0x20080522  # three sets of capabilities of 64 bits each
    _checked(_libc.capset(ctypes.byref(_CapabilityHeader(version_3, 0)), (ctypes.c_uint32 * 6)()))
