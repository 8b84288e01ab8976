"""An environment that makes trouble, and what tells whether it left anything behind."""

from __future__ import annotations

import contextlib
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

from gymnasium.spaces import Discrete

from openenv_gym.env import OpenEnvGym
from openenv_gym.environment import Environment
from openenv_gym.models import Action, Info, Observation, State

Trouble = Literal["count", "hang", "leave", "raise", "print", "dots", "spawn", "detach", "close"]
TROUBLE = "tests.troubles:Troublesome"

COUNT, HANG, LEAVE, RAISE, PRINT, DOTS, SPAWN, DETACH, CLOSE = range(9)
"""The actions, in the order of ``Trouble``."""


AT_ONCE = 20.0
"""Seconds: far more than it takes on a busy machine, less than a test may take."""


class TroubleAction(Action):
    do: Trouble


class TroubleObservation(Observation):
    count: Annotated[int, Discrete(1000)] = 0
    child: Annotated[int | None, Info()] = None


class Troublesome(Environment[TroubleAction, TroubleObservation, State]):
    """Does what it is told.

    Args:
        first: Trouble that its constructor makes.
        seconds: How long ``hang`` hangs.
        size: How many bytes ``print`` and ``dots`` print.
    """

    def __init__(
        self, first: Trouble = "count", seconds: float = 1000.0, size: int = 1_000_000
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._count = 0
        self._child: int | None = None
        self._in_close: Trouble = "count"
        self._do(first)

    def reset(self) -> TroubleObservation:
        self._count = 0
        return TroubleObservation()

    def step(self, action: TroubleAction) -> TroubleObservation:
        self._count += 1
        self._do(action.do)
        return TroubleObservation(count=self._count, child=self._child)

    def _do(self, trouble: Trouble) -> None:
        if trouble == "hang":
            print("now it hangs", flush=True)
            time.sleep(self._seconds)
        elif trouble == "leave":
            print("these are my last words", flush=True)
            os._exit(7)
        elif trouble == "raise":
            raise ValueError("no such thing: \ud800")
        elif trouble == "print":
            for _ in range(self._size // 100):
                sys.stdout.write("x" * 99 + "\n")
        elif trouble == "dots":
            for _ in range(self._size // 10_000):
                sys.stdout.write("." * 10_000)
                sys.stdout.flush()
        elif trouble in ("spawn", "detach"):
            command = ["sleep", "1000"]
            detached = trouble == "detach"
            self._child = subprocess.Popen(command, start_new_session=detached).pid
        elif trouble == "close":
            self._in_close = "raise"

    @property
    def state(self) -> State:
        return State(step_count=self._count)

    def close(self) -> None:
        self._do(self._in_close)


def in_process(environment: str = TROUBLE, **keywords: Any) -> OpenEnvGym:
    """The environment, or another, over the transport ``process``."""
    return OpenEnvGym(environment, transport="process", **keywords)


def pid_of(env: OpenEnvGym) -> int:
    """The process that the environment runs in."""
    return int(env.isolation["pid"])


def children(parent: int | None = None) -> set[int]:
    """Processes that one, by default this, started and did not collect.

    Not its fork server, which is kept, but what that one started.
    """
    started = _children(parent or os.getpid())
    servers = started & {*running(_FORK_SERVER)}
    return (started - servers).union(*map(_children, servers))


_FORK_SERVER = "openenv_gym.server.forkserver"


def _children(parent: int) -> set[int]:
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.add(int(path.parent.name))
    return found


def running(word: str) -> list[int]:
    """Processes of this machine that have a word in their command."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
    return found


@contextmanager
def nothing_left(*folders: Path) -> Iterator[None]:
    """Check that no process, file descriptor, thread or file is left that was not there before.

    What an earlier test left may go away meanwhile.
    """

    def files() -> set[Path]:
        return {path for folder in folders for path in folder.rglob("*")}

    def descriptors() -> int:
        kept = _children(os.getpid()) & {*running(_FORK_SERVER)}  # one for each
        return len(os.listdir("/proc/self/fd")) - len(kept)

    def left() -> list[object]:
        more = descriptors() - descriptors_before
        return [
            *(children() - children_before),
            *(thread for thread in threading.enumerate() if thread not in threads_before),
            *(files() - files_before),
            *([f"{more} file descriptors"] if more > 0 else []),
        ]

    gc.collect()  # else what an earlier test left to the collector hides what this one leaves
    children_before, threads_before, files_before = children(), threading.enumerate(), files()
    descriptors_before = descriptors()
    yield
    deadline = time.monotonic() + AT_ONCE
    while found := left():
        assert time.monotonic() < deadline, f"left behind: {found}"
        time.sleep(0.01)
