"""The system calls that a sandboxed program has; the others do not exist for it.

What is allowed is listed, so a call that a later kernel brings is not. Calls that do many things,
such as ``fcntl`` and ``socket``, are allowed by their arguments: some of these would send signals
to processes, or speak to sockets, that no other boundary keeps from the program. libseccomp, which
knows the numbers of each architecture, turns the list into the kernel's filter; every Debian has
it, since apt needs it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from typing import Any

LIBRARY = "libseccomp.so.2"

CODE = """
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek _llseek
    close close_range dup dup2 dup3 pipe pipe2
    stat lstat fstat stat64 lstat64 fstat64 newfstatat fstatat64 statx statfs fstatfs statfs64
    fstatfs64 access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir
    fchdir umask flock fadvise64 fadvise64_64 sendfile sendfile64 splice tee copy_file_range
    fsync fdatasync
    poll ppoll select _newselect pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait
    epoll_pwait epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime
    signalfd signalfd4 recvfrom recvmsg recvmmsg send recv shutdown getsockopt setsockopt
    getsockname getpeername
    mmap mmap2 munmap mremap mprotect madvise msync mincore brk membarrier get_mempolicy
    pkey_alloc pkey_free pkey_mprotect
    futex futex_time64 futex_waitv set_robust_list rseq set_tid_address exit exit_group
    restart_syscall gettid getpid getppid getpgid getpgrp getsid getuid geteuid getgid getegid
    getresuid getresgid getgroups capget getpriority sched_yield sched_getaffinity
    sched_getparam sched_getscheduler sched_getattr sched_get_priority_max
    sched_get_priority_min getcpu getrusage getrlimit ugetrlimit times sysinfo uname getrandom
    time gettimeofday clock_gettime clock_getres clock_nanosleep nanosleep clock_gettime64
    clock_getres_time64 clock_nanosleep_time64 alarm setitimer getitimer timer_create
    timer_settime timer_gettime timer_getoverrun timer_delete
    sigaltstack rt_sigaction rt_sigprocmask rt_sigreturn sigreturn rt_sigpending rt_sigsuspend
    rt_sigtimedwait pause arch_prctl set_thread_area riscv_flush_icache
"""
"""For Python code: its own threads, memory, time and files; no process, no socket."""

CHANGES = """
    mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat symlink symlinkat
    ftruncate ftruncate64 fallocate
"""
"""And changing files in other ways than by opening them."""

PROGRAMS = """
    fork vfork execve execveat wait4 waitid waitpid pidfd_open connect accept accept4
    chmod fchmod fchmodat fchmodat2 utime utimes utimensat futimesat setrlimit prctl memfd_create
"""
"""And for programs that start others, and talk over a socket."""

SIGNALS = "kill tkill tgkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_send_signal setpgid"
"""And for who ends such programs: whom they reach is not seen by a filter."""

_REFUSED = """
    fork vfork execve execveat socket connect bind listen accept accept4 setrlimit
    ptrace process_vm_readv process_vm_writev pidfd_open pidfd_send_signal tkill setsid setpgid
    chmod fchmod fchmodat fchmodat2 chown fchown lchown fchownat utime utimes utimensat
    setpriority sched_setaffinity unshare setns mount umount2 chroot
"""
"""System calls that fail with EPERM (not permitted), rather than ENOSYS (not implemented)."""

_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NOT_EQUAL, _EQUAL, _MASKED_EQUAL = 1, 4, 7
_CLONE_THREAD = 0x00010000
# All namespaces: mount, cgroup, uts, ipc, user, pid, net.
_CLONE_NEW = 0x7E020000
_WRITING_FLAGS = (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC, os.O_APPEND)
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_SET_NAME, _GET_NAME = 15, 16  # of prctl

# Of fcntl: not those that have signals sent to any process, such as F_SETOWN and F_SETLEASE.
_DUPFD, _GETFD, _SETFD, _GETFL, _SETFL, _GETLK, _SETLK, _SETLKW = range(8)
_FCNTL = (
    *(_DUPFD, _GETFD, _SETFD, _GETFL, _GETLK, _SETLK, _SETLKW),
    *(12, 13, 14),  # the same of locks, of 64 bits, on machines of 32
    *(36, 37, 38),  # locks that belong to the open file
    *(1030, 1031, 1032, 1033, 1034),  # F_DUPFD_CLOEXEC, sizes of pipes, seals
)
_ASYNC = 0x2000  # O_ASYNC, which Python has no name for everywhere
# Of ioctl: is it a terminal, and how large; how much is there to read; not to block; not to keep
# when another program is started. Not FIOASYNC, FIOSETOWN and SIOCSPGRP, which send signals.
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
_TYPE = 0xF  # of a socket, below its flags
_FAST_OPEN = 0x20000000  # of send: connects without being asked whether it may
_LONGEST_PROGRAM = 4096 * 8  # bytes: the kernel takes no more instructions


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class Filter:
    """A filter of system calls, to be loaded once it is complete.

    Raises:
        OSError: There is no libseccomp.
    """

    def __init__(self) -> None:
        library = self._library = ctypes.CDLL(LIBRARY)
        library.seccomp_init.restype = ctypes.c_void_p
        library.seccomp_init.argtypes = [ctypes.c_uint32]
        library.seccomp_load.argtypes = [ctypes.c_void_p]
        library.seccomp_export_bpf.argtypes = [ctypes.c_void_p, ctypes.c_int]
        # That a call is missing is what the C library has a way around, where it may be missing.
        self._context = ctypes.c_void_p(library.seccomp_init(_ERROR | errno.ENOSYS))

    def allow(self, name: str, *comparisons: _Comparison) -> None:
        """Allows a call, if its arguments compare so."""
        self._add(_ALLOW, name, *comparisons)

    def refuse(self, name: str, *comparisons: _Comparison) -> None:
        """Refuses a call as not permitted."""
        self._add(_ERROR | errno.EPERM, name, *comparisons)

    def load(self) -> None:
        """Puts it in force for this process and all that it starts, for ever."""
        _check(self._library.seccomp_load(self._context), "loading the filter")

    def program(self) -> bytes:
        """Return it as the kernel takes it, for :func:`~.system.load_filter`."""
        file = os.memfd_create("filter")
        try:
            _check(self._library.seccomp_export_bpf(self._context, file), "exporting the filter")
            return os.pread(file, _LONGEST_PROGRAM, 0)
        finally:
            os.close(file)

    def _add(self, action: int, name: str, *comparisons: _Comparison) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # this architecture has no such call, or this libseccomp does not know it
        many: Any = (_Comparison * len(comparisons))(*comparisons)
        _check(
            self._library.seccomp_rule_add_array(
                self._context, ctypes.c_uint32(action), number, len(comparisons), many
            ),
            name,
        )


def for_code(keeps_files: bool) -> Filter:
    """The filter for Python code: one process, which reaches no other, and no network.

    It is to be completed by :func:`and_itself` in the process that it is for.

    Args:
        keeps_files: Something else keeps it from files; if not, it can only read them.
    """
    made = Filter()
    for name in CODE.split():
        made.allow(name)
    _allow_by_arguments(made)
    if keeps_files:
        for name in f"open openat openat2 truncate truncate64 {CHANGES}".split():
            made.allow(name)
    else:
        # openat2 has its flags in memory, where no filter sees them: it is missing.
        for name, argument in (("open", 1), ("openat", 2)):
            made.allow(name, _Comparison(argument, _MASKED_EQUAL, _WRITING, 0))
            for flag in _WRITING_FLAGS:
                made.refuse(name, _Comparison(argument, _MASKED_EQUAL, flag, flag))
        for name in f"truncate truncate64 {CHANGES}".split():
            made.refuse(name)
    for name in _REFUSED.split():
        made.refuse(name)
    # Threads are made by clone() with this flag, processes without.
    made.allow("clone", _Comparison(0, _MASKED_EQUAL, _CLONE_THREAD, _CLONE_THREAD))
    made.refuse("clone", _Comparison(0, _MASKED_EQUAL, _CLONE_THREAD, 0))
    # Limits can be asked for, not set: not its own, nor those of others of the same user.
    made.allow("prlimit64", _Comparison(2, _EQUAL, 0, 0))
    made.refuse("prlimit64", _Comparison(2, _NOT_EQUAL, 0, 0))
    for option in (_SET_NAME, _GET_NAME):
        made.allow("prctl", _Comparison(0, _EQUAL, option, 0))
    return made


def and_itself(made: Filter) -> None:
    """Lets the calling process send signals to itself, and to nobody else."""
    pid = os.getpid()
    for name in ("kill", "tgkill", "rt_tgsigqueueinfo"):
        made.allow(name, _Comparison(0, _EQUAL, pid, 0))
        made.refuse(name, _Comparison(0, _NOT_EQUAL, pid, 0))


def for_programs(signals: bool) -> Filter:
    """The filter for programs: as for code, and processes, files and sockets of TCP.

    Args:
        signals: They can send signals, and leave their process group. Only where something else
            keeps these from others, or for who ends the programs.
    """
    made = Filter()
    for name in " ".join((CODE, CHANGES, PROGRAMS)).split():
        made.allow(name)
    _allow_by_arguments(made)
    for name in SIGNALS.split():
        made.allow(name) if signals else made.refuse(name)
    # No file is emptied by being opened for reading, which Landlock knows only from its third
    # version on; openat2 has its flags in memory, and truncate() knows no open file: both are
    # missing.
    for name, argument in (("open", 1), ("openat", 2)):
        emptying = os.O_TRUNC | os.O_ACCMODE
        for mode in (os.O_WRONLY, os.O_RDWR):
            made.allow(name, _Comparison(argument, _MASKED_EQUAL, os.O_ACCMODE, mode))
        made.allow(name, _Comparison(argument, _MASKED_EQUAL, emptying, os.O_RDONLY))
    made.allow("clone", _Comparison(0, _MASKED_EQUAL, _CLONE_NEW, 0))
    # Unix sockets, UDP and the like would reach others on this host, whatever Landlock says, and
    # so would MPTCP.
    tcp = (socket.IPPROTO_IP, socket.IPPROTO_TCP)
    for protocol in tcp:
        made.allow(
            "socket",
            _Comparison(0, _EQUAL, socket.AF_INET, 0),
            _Comparison(1, _MASKED_EQUAL, _TYPE, socket.SOCK_STREAM),
            _Comparison(2, _EQUAL, protocol, 0),
        )
    made.refuse("socket", _Comparison(0, _NOT_EQUAL, socket.AF_INET, 0))
    # Their own priority, processors and limits; those of others of the same user they cannot set.
    made.allow("setpriority", _Comparison(0, _EQUAL, 0, 0), _Comparison(1, _EQUAL, 0, 0))
    made.allow("sched_setaffinity", _Comparison(0, _EQUAL, 0, 0))
    made.allow("prlimit64", _Comparison(0, _EQUAL, 0, 0))
    return made


def _allow_by_arguments(made: Filter) -> None:
    """Allows calls that do many things for what does no harm."""
    for name in ("fcntl", "fcntl64"):
        for command in _FCNTL:
            made.allow(name, _Comparison(1, _EQUAL, command, 0))
        made.allow(
            name, _Comparison(1, _EQUAL, _SETFL, 0), _Comparison(2, _MASKED_EQUAL, _ASYNC, 0)
        )
    for command in _IOCTL:
        made.allow("ioctl", _Comparison(1, _EQUAL, command, 0))
    # Pairs that can be spoken to by each other alone. Of datagrams, each end could send to any
    # socket of this host.
    for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
        made.allow(
            "socketpair",
            _Comparison(0, _EQUAL, socket.AF_UNIX, 0),
            _Comparison(1, _MASKED_EQUAL, _TYPE, kind),
        )
    made.allow(
        "sendto",
        _Comparison(3, _MASKED_EQUAL, _FAST_OPEN, 0),
        _Comparison(4, _EQUAL, 0, 0),  # to nobody but the other end
    )
    for name, argument in (("sendmsg", 2), ("sendmmsg", 3)):
        made.allow(name, _Comparison(argument, _MASKED_EQUAL, _FAST_OPEN, 0))


def _check(result: int, what: str) -> None:
    if result < 0:
        raise OSError(-result, f"libseccomp: {what}: {os.strerror(-result)}")
