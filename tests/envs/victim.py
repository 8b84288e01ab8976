"""What a sandbox must keep hostile programs from: a process, sockets and a file of this host."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

SECRET = "do not tell"


class Victim:
    """They exist while the block runs.

    Args:
        folder: An empty folder, which others may enter.
    """

    def __init__(self, folder: Path) -> None:
        self._stack = contextlib.ExitStack()
        self._folder = folder

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self.process = stack.enter_context(subprocess.Popen(["sleep", "1000"]))
            stack.callback(self.process.kill)
            self.file = self._folder / "file"
            self.file.write_text(SECRET)
            self.file.chmod(0o666)
            self._folder.chmod(0o777)
            self._sockets = []
            for name, family, kind in (
                ("stream", socket.AF_UNIX, socket.SOCK_STREAM),
                ("datagram", socket.AF_UNIX, socket.SOCK_DGRAM),
                ("abstract", socket.AF_UNIX, socket.SOCK_STREAM),
                ("tcp", socket.AF_INET, socket.SOCK_STREAM),
                ("udp", socket.AF_INET, socket.SOCK_DGRAM),
            ):
                sock = stack.enter_context(socket.socket(family, kind))
                sock.bind(self._address(name) if family == socket.AF_UNIX else ("127.0.0.1", 0))
                if kind == socket.SOCK_STREAM:
                    sock.listen()
                sock.setblocking(False)
                self._sockets.append(sock)
            for name in ("stream", "datagram"):
                (self._folder / name).chmod(0o777)
            self._before = self._state()
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _address(self, name: str) -> str:
        path = str(self._folder / name)
        return f"\0{path}" if name == "abstract" else path

    def code(self, program: str) -> str:
        """Return a program with the names of these things for its placeholders."""
        names = {
            "OTHERS": [os.getpid(), self.process.pid, os.getppid()],
            "STREAM": str(self._folder / "stream"),
            "DATAGRAM": str(self._folder / "datagram"),
            "ABSTRACT": self._address("abstract"),
            "TCP": self._sockets[3].getsockname()[1],
            "UDP": self._sockets[4].getsockname()[1],
            "FILE": str(self.file),
        }
        return program.replace(
            "#VICTIM", ";".join(f"{name}={value!r}" for name, value in names.items())
        )

    def _state(self) -> tuple[object, ...]:
        status = self.file.stat()
        return (
            self.process.poll(),
            self.file.read_text(),
            (status.st_mode, status.st_uid, status.st_mtime_ns, status.st_nlink),
            sorted(os.listdir(self._folder)),
            os.sched_getaffinity(self.process.pid),
            os.getpriority(os.PRIO_PROCESS, self.process.pid),
        )

    def check(self) -> None:
        """Check that nothing has befallen them.

        Raises:
            AssertionError: Something has.
        """
        assert self._state() == self._before
        for sock in self._sockets:
            with contextlib.suppress(BlockingIOError):
                got = sock.accept() if sock.type == socket.SOCK_STREAM else sock.recv(99)
                raise AssertionError(f"{sock} was reached: {got}")


def wait_gone(marker: str, seconds: float = 10.0) -> None:
    """Wait until no process has the marker in its command line."""
    from tests.troubles import running

    deadline = time.monotonic() + seconds
    while running(marker):
        assert time.monotonic() < deadline, "it goes on"
        time.sleep(0.02)
