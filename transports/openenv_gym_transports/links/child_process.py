"""Starting a server process on this host, and seeing to it that it ends."""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import functools
import importlib.util
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from typing import IO, Any

from openenv_gym.errors import StartError, missing_package
from openenv_gym_transports.containers.owner import VARIABLE, named
from openenv_gym_transports.links.forkserver import ForkedProcess, ForkServerError, forkserver

AT_ONCE = 256
"""Processes of one vector that are started at a time."""

START_METHODS = ("forkserver", "spawn")
"""A fork of a process that has done the imports, or a new interpreter."""

_Process = subprocess.Popen[bytes] | ForkedProcess

_LOG_LINES = 200
_LOG_SHOWN = 15
_LONGEST_LINE = 4096
_LAST_MOMENT = 1.0  # seconds


_children: weakref.WeakSet[Child] = weakref.WeakSet()


class Child:
    """A process of ours that runs ``openenv-gym`` with the arguments given.

    It gets a session of its own, so that the terminal's Ctrl-C does not reach it and its own
    children can be ended with it. What it prints goes to this program's own standard output and
    error, line by line; the last lines are kept for errors.

    Args:
        arguments: Of the command ``openenv-gym``.
        fd: A file descriptor that it inherits, and is named to it as ``--fd``, if any.
        secret: First line of its standard input, which stays open as long as this process lives.
        core: The core that it and its children keep to; None: any.
        output: Whether this program passes on what it prints.
        start_method: How: one of :data:`START_METHODS`.

    Raises:
        StartError: It cannot be started.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        fd: int | None,
        secret: str | None = None,
        core: int | None = None,
        output: bool = True,
        start_method: str = "spawn",
    ) -> None:
        self._lines: deque[str] = deque(maxlen=_LOG_LINES)
        self._owner = os.getpid()
        self._process = _start(arguments, fd, start_method)
        if core is not None:
            with contextlib.suppress(OSError):  # then it is any after all
                os.sched_setaffinity(self._process.pid, {core})
        if secret is not None:
            assert self._process.stdin is not None
            with contextlib.suppress(BrokenPipeError):  # whoever connects learns that it is dead
                os.write(self._process.stdin.fileno(), secret.encode() + b"\n")
        prefix = f"[{arguments[1]} {self._process.pid}] " if output else None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._outputs = (
            _Output(self._process.stdout, "stdout", prefix, self._lines),
            _Output(self._process.stderr, "stderr", prefix, self._lines),
        )
        self._reader = threading.Thread(
            target=_read, args=(self._outputs,), daemon=True, name="server log"
        )
        self._reader.start()
        self._finalizer = weakref.finalize(self, _end, self._process, self._owner)
        _children.add(self)
        _end_at_exit()

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements OwnedServer.isolation: a process of the same user, with its number."""
        return {"boundary": "process", "pid": self._process.pid}

    @property
    def log(self) -> list[str]:
        """Implements OwnedServer.log."""
        return [*self._lines]

    def fate(self) -> str:
        """Implements OwnedServer.fate."""
        # The socket's end is seen before the exit code is there.
        code = _collect(self._process, 1.0)
        if code is None:
            how = "still runs"
        else:
            self._reader.join(1.0)
            how = f"exited with {code}"
        if code is not None and code < 0:
            how = f"was killed by {signal.Signals(-code).name}"
        unfinished = [output.rest for output in self._outputs if output.rest]
        lines = [*self._lines, *map(_line, unfinished)][-_LOG_SHOWN:]
        return f"The process {how}." + ("\nIts last lines:\n" + "\n".join(lines) if lines else "")

    def dead(self) -> str | None:
        """Implements OwnedServer.dead."""
        return None if _collect(self._process) is None else self.fate()

    def kill(self) -> None:
        """Implements OwnedServer.kill: it and its children."""
        if _collect(self._process) is None:
            _kill_group(self._process)
            _collect(self._process, 5.0)
        self.stop(0.0)

    def ask_to_end(self) -> None:
        """Let a process of this program know that nobody needs it; don't wait for its end."""
        if self._finalizer.alive and self._owner == os.getpid():
            _hang_up(self._process)
            if self._process.poll() is None:
                self._process.terminate()

    def stop(self, limit: float) -> None:
        """Implements OwnedServer.stop: let it know that nobody needs it, wait, then end it."""
        _hang_up(self._process)
        if _collect(self._process, limit) is None:
            self._process.terminate()  # it may take a moment to say why it ends
            if _collect(self._process, _LAST_MOMENT) is None:
                _kill_group(self._process)
        self._finalizer()
        self._reader.join(1.0)


def _start(arguments: Sequence[str], fd: int | None, start_method: str) -> _Process:
    if fd is None or start_method == "spawn":
        return _spawn(arguments, fd)
    try:
        return forkserver(python_command(), _variables()).start(arguments, _variables(), fd)
    except ForkServerError as error:
        raise StartError(
            f"A fork server cannot start a process here: {error}. Leave start_method out, or give "
            "'spawn'."
        ) from error


def _spawn(arguments: Sequence[str], fd: int | None) -> subprocess.Popen[bytes]:
    with _beyond_standard_streams(fd) as fds:
        named = [f"--fd={fd}" for fd in fds]
        try:
            return subprocess.Popen(
                [*python_command(), "-m", "openenv_gym.cli", *arguments, *named],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=fds,
                env=_variables(),
                start_new_session=True,
                bufsize=0,
            )
        except OSError as error:
            raise StartError(f"Cannot start {sys.executable}: {error}.") from error


class _Output:
    """One of the two streams of a process.

    Args:
        pipe: Where it comes from.
        name: That of the stream of this program which it goes to.
        prefix: What each line begins with there; None where it goes nowhere.
        lines: Where the last lines are kept.

    Attributes:
        rest: A line that has not ended yet, or its last part.
    """

    def __init__(self, pipe: IO[bytes], name: str, prefix: str | None, lines: deque[str]) -> None:
        self.pipe = pipe
        self._name = name
        self._prefix = prefix
        self._lines = lines
        self.rest = b""

    def take(self, data: bytes) -> None:
        """Take what came; nothing is the end."""
        *lines, rest = (self.rest + data).split(b"\n")
        if not data and rest:
            lines, rest = [rest], b""
        self.rest = rest[-_LONGEST_LINE:]
        shown = [_line(line) for line in lines]
        self._lines.extend(shown)
        stream = getattr(sys, self._name)
        if shown and self._prefix is not None and stream is not None and not _ended:
            text = "".join(f"{self._prefix}{line}\n" for line in shown)
            encoding = getattr(stream, "encoding", None) or "utf-8"
            # It may be closed, or lead nowhere.
            with contextlib.suppress(OSError, ValueError):
                stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
                stream.flush()


_ended: list[bool] = []  # this program does: to write to its streams from a thread would harm it


def _read(outputs: Sequence[_Output]) -> None:
    """Read the streams of a process, until both end."""
    with selectors.DefaultSelector() as selector:
        for output in outputs:
            selector.register(output.pipe, selectors.EVENT_READ, output)
        while selector.get_map():
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                key.data.take(data)
                if not data:
                    selector.unregister(key.fileobj)
                    # Here, at the end: a child of the environment that left its group may keep
                    # it open.
                    key.data.pipe.close()


def start_server(
    environment: str, core: int | None, *, output: bool = True
) -> tuple[Child, int, str]:
    """Starts a server for the network, on a loopback port of its own.

    Args:
        environment: What it serves.
        core: The core that it keeps to; None: any.
        output: Whether this program passes on what it prints.

    Returns:
        Its process, its port and its token.

    Raises:
        MissingDependencyError: The server's packages are not installed.
        StartError: It cannot be started.
    """
    for package in ("fastapi", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise missing_package("Starting a server", package, "server")
    token = secrets.token_urlsafe(32)
    # It listens from the start, so connecting works at once; and as only the child keeps it,
    # connections break as soon as the child dies.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, fd = listener.getsockname()[1], listener.fileno()
        arguments = ["serve", environment, "--network", "--owned"]
        child = Child(arguments, fd=fd, secret=token, core=core, output=output)
        return child, port, token


@contextlib.contextmanager
def _beyond_standard_streams(fd: int | None) -> Iterator[tuple[int, ...]]:
    """Yield the descriptor, or a copy where a program without standard streams has it as 0 to 2.

    The started process has pipes there.
    """
    if fd is None or fd > 2:
        yield () if fd is None else (fd,)
        return
    copy = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)
    try:
        yield (copy,)
    finally:
        os.close(copy)


@functools.cache
def _end_at_exit() -> None:
    """Have all processes end together when this program does.

    Registered after the first finalizer, so it runs before them: each would wait for its own.
    """
    atexit.register(_ended.append, True)  # runs after all that is registered later

    @atexit.register
    def ask_all() -> None:
        for child in list(_children):
            child.ask_to_end()


def _hang_up(process: _Process) -> None:
    if process.stdin is not None:
        with contextlib.suppress(OSError):
            process.stdin.close()


def _variables() -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": python_path(),
        "PYTHONUNBUFFERED": "1",
        VARIABLE: named(),
    }


def _line(line: bytes) -> str:
    return line[-_LONGEST_LINE:].decode(errors="replace").rstrip()


def _end(process: _Process, owner: int) -> None:
    """Ends a process and its children. A fork of the owner leaves them alone."""
    if os.getpid() != owner:
        return
    _hang_up(process)
    if _collect(process) is None:
        process.terminate()
        if _collect(process, 6.0) is None:
            _kill_group(process)
            process.wait()


def _collect(process: _Process, limit: float = 0.0) -> int | None:
    """Wait for the end of a process, and end its children with it.

    Its number, and that of its group, may soon be another's: the group is killed when the end is
    seen first, and never again.

    Returns:
        Its exit code; None if it still runs after so many seconds.
    """
    if process.returncode is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(limit)
            _kill_group(process)
    return process.returncode


def _kill_group(process: _Process) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def python_command() -> list[str]:
    """Return the command of a Python that looks for modules where ``PYTHONPATH`` says.

    Not in the current folder, which this process may not look into either.
    """
    return [sys.executable, "-P", *(["-s"] if sys.flags.no_user_site else [])]


def python_path() -> str:
    """Return the ``PYTHONPATH`` with which a process can import what this one can."""
    # What is not a text, such as a Path, is passed over by Python itself.
    places = [place for place in sys.path if isinstance(place, str)]
    return os.pathsep.join(map(os.path.abspath, places))
