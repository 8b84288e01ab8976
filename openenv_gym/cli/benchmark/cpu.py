"""The processor's time: what a candidate takes of it, and what else takes it meanwhile."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

_BUSY = "while True: pass"
_PROCESS_CLOCK = 2  # of <linux/posix-timers.h>: what all threads of a process ran


def work(seconds: float) -> None:
    """Compute for so many seconds of this thread's own time, as a trainer does between steps."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Have so many other processes compute meanwhile."""
    processes = [subprocess.Popen([sys.executable, "-I", "-c", _BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


class CpuClock:
    """What this process, all that it has started, and a container take of the processors' time.

    Busy processes are left out. Where the system has no /proc it is this process alone.

    Args:
        container: Id of a container whose processes count too.
    """

    def __init__(self, container: str | None = None) -> None:
        contained = [] if container is None else _processes("cgroup", container)
        self._pids = {os.getpid(), *_descendants(os.getpid()), *contained}

    def seconds(self) -> float:
        """Return the seconds so far of all of them."""
        total = 0.0
        for pid in self._pids:
            with contextlib.suppress(OSError):  # it has ended
                total += time.clock_gettime(~pid << 3 | _PROCESS_CLOCK)
        return total


def _processes(file: str, text: str) -> list[int]:
    """Return the processes whose file in /proc has a text."""
    found = []
    for path in Path("/proc").glob(f"[0-9]*/{file}"):
        with contextlib.suppress(OSError):
            if text in path.read_text(errors="replace"):
                found.append(int(path.parent.name))
    return found


def _descendants(ancestor: int) -> list[int]:
    """Return the processes that one started, and those that these did, but for busy ones."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = path.read_text().rpartition(")")[2].split()[1]
            children.setdefault(int(parent), []).append(int(path.parent.name))
    busy = set(_processes("cmdline", _BUSY))
    found, waiting = [], children.get(ancestor, [])
    while waiting:
        pid = waiting.pop()
        if pid not in busy:
            found.append(pid)
            waiting += children.get(pid, [])
    return found
