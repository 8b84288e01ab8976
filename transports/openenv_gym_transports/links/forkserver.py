"""Starting processes as forks of one that has done the imports: the trainer's end.

What that process is, and why it ends with the trainer: ``openenv_gym.server.forkserver``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

_LIMIT = 60.0
"""Seconds that the imports and a fork may take, on a busy machine."""
_UNKNOWN_CODE = 255
_TITLE = 1024  # bytes that the command of a fork may have, in a list of processes
_READ_AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "GLIBC_", "NPY_", "NUMPY_", "OPENENV_GYM_"),
    *("OMP_", "OPENBLAS_", "GOTO_", "MKL_", "KMP_", "BLIS_", "COVERAGE_"),
)
"""Variables that Python, the C library, numpy and this package read when they start."""
_INHERITED = ("Umask", "Uid", "Gid", "Groups", "SigIgn", "CapEff", "NoNewPrivs", "Cpus_allowed")
"""Lines of ``/proc/self/status`` that a process has from its parent."""


class ForkServerError(Exception):
    """A process cannot be started in this way; the text says why."""


class ForkedProcess:
    """A fork, with what a ``subprocess.Popen`` has of it.

    Attributes:
        pid: Its number.
        returncode: Its exit code; negative for a signal; None until it was seen to have ended.
        stdin: Leads to its standard input.
        stdout: Comes from its standard output.
        stderr: Comes from its standard error.
    """

    def __init__(
        self, server: ForkServer, pid: int, stdin: IO[bytes], stdout: IO[bytes], stderr: IO[bytes]
    ) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self._server = server
        self._pidfd = os.pidfd_open(pid)
        self._lock = threading.Lock()

    def poll(self) -> int | None:
        """Return its exit code; None if it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended, and return its exit code.

        Raises:
            TimeoutExpired: It still runs after so many seconds.
        """
        if self.returncode is None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if not poll.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0.0)
        with self._lock:
            if self.returncode is None:
                self.returncode = self._server.collect(self.pid)
                os.close(self._pidfd)
            return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        with self._lock, contextlib.suppress(ProcessLookupError):
            if self.returncode is None:
                signal.pidfd_send_signal(self._pidfd, signal.SIGTERM)


class ForkServer:
    """A process that makes forks of itself for this one.

    Args:
        command: Of Python.
        variables: Its environment variables.

    Raises:
        ForkServerError: It cannot be started.
    """

    def __init__(self, command: Sequence[str], variables: Mapping[str, str]) -> None:
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_LIMIT)
        with theirs:
            words = ["-m", "openenv_gym.server.forkserver", str(theirs.fileno()), " " * _TITLE]
            try:
                self._process = subprocess.Popen(
                    [*command, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env=variables,
                    start_new_session=True,
                )
            except OSError as error:
                self._socket.close()
                raise ForkServerError(str(error)) from error
        self._replied = False
        self._failure = ""
        self._end = weakref.finalize(self, _end, self._process, self._socket, os.getpid())

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    def start(
        self, arguments: Sequence[str], variables: Mapping[str, str], fd: int
    ) -> ForkedProcess:
        """Start ``openenv-gym`` in a fork.

        Args:
            arguments: Its arguments.
            variables: Its environment variables.
            fd: A descriptor that it gets, and is named to it as ``--fd``.

        Raises:
            ForkServerError: That cannot be done.
        """
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            folder = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
            theirs.callback(os.close, folder)
            streams, inherited = [], []
            for mode in ("wb", "rb", "rb"):
                pipe = os.pipe()
                near, far = pipe if mode == "rb" else reversed(pipe)
                streams.append(ours.enter_context(open(near, mode, buffering=0)))
                theirs.callback(os.close, far)
                inherited.append(far)
            request = {"arguments": [*arguments], "variables": {**variables}}
            reply = self._ask(request, [folder, *inherited, fd])
            if "pid" not in reply:
                raise ForkServerError(str(reply.get("unsafe")))
            process = ForkedProcess(self, reply["pid"], *streams)
            ours.pop_all()
            return process

    def collect(self, pid: int) -> int:
        """Return the exit code of a fork that has ended."""
        try:
            return int(self._ask({"collect": pid}, [])["code"])
        except ForkServerError:  # somebody killed it
            return _UNKNOWN_CODE

    def is_usable(self) -> bool:
        """Return whether another would do no better: it runs, or never came to reply."""
        return not self._replied or self._process.poll() is None

    def _ask(self, request: Mapping[str, Any], fds: list[int]) -> Mapping[str, Any]:
        data = json.dumps(request).encode() + b"\n"
        with self._lock:
            if not self._end.alive:
                raise ForkServerError(self._failure)
            try:
                sent = socket.send_fds(self._socket, [data], fds)
                self._socket.sendall(data[sent:])
                reply = b""
                while not reply.endswith(b"\n"):
                    more = self._socket.recv(1 << 16)
                    if not more:
                        raise ConnectionResetError
                    reply += more
            except OSError as error:
                late = isinstance(error, TimeoutError)
                self._end()  # a reply that comes late must not be taken for another's
                code = self._process.returncode
                self._failure = f"no reply in {_LIMIT} s" if late else f"its process ended: {code}"
                raise ForkServerError(self._failure) from error
        self._replied = True
        found: Mapping[str, Any] = json.loads(reply)
        return found


_current: tuple[object, ForkServer] | None = None
_choosing = threading.Lock()


def forkserver(command: Sequence[str], variables: Mapping[str, str]) -> ForkServer:
    """Return the one whose forks are as if this process had started them; start it, if need be.

    Args:
        command: Of Python.
        variables: The environment variables of what is to be started.

    Raises:
        ForkServerError: There is none on this system, or it cannot be started.
    """
    global _current
    if not is_supported():
        raise ForkServerError("this system has no pidfd_open")
    key = _inherited(command, variables)
    with _choosing:
        if _current is None or _current[0] != key or not _current[1].is_usable():
            _current = (key, ForkServer(command, variables))
        return _current[1]


def is_supported() -> bool:
    """Return whether this system can do it: Linux can."""
    return hasattr(os, "pidfd_open") and os.path.exists("/proc/thread-self/status")


def _inherited(command: Sequence[str], variables: Mapping[str, str]) -> object:
    """Return what a process has from its start, and a fork would have from another's."""
    status = Path("/proc/thread-self/status").read_text().splitlines()
    return (
        [*command],
        {key: value for key, value in variables.items() if key.startswith(_READ_AT_START)},
        [line for line in status if line.startswith(_INHERITED)],
        Path("/proc/self/limits").read_bytes(),
        os.getpriority(os.PRIO_PROCESS, 0),
    )


def _forget() -> None:
    """Let a fork of this process start its own."""
    global _current, _choosing
    _current, _choosing = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)


def _end(process: subprocess.Popen[bytes], connection: socket.socket, owner: int) -> None:
    """End it, unless it belongs to a process of which this is a fork."""
    if os.getpid() == owner:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # a fork of this process may have it open
        try:
            process.wait(1.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    connection.close()
