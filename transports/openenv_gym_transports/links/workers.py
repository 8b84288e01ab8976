"""Workers: processes that share the sessions of one server among them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from openenv_gym.errors import OpenEnvGymError, OptionError, ServerFullError
from openenv_gym.transport import DEFAULT_SETTINGS, Link, LinkSettings, Transport
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.links.child_process import Child
from openenv_gym_transports.links.pipe import PipeLink, connect

_SESSIONS = 1 << 16  # of a worker, where nobody limits them
_LOOK = 0.5  # seconds between two looks at the memory of the workers
_STOP_LIMIT = 5.0


class Worker:
    """A process that runs sessions of one environment.

    Args:
        environment: The environment.
        sessions: How many sessions it may have at a time.
        start_timeout: Seconds until it must be there.

    Attributes:
        seats: Sessions that it has.
        steps: Requests that its sessions carried out.
        retired: It gets no new sessions, and ends with its last one.
    """

    def __init__(self, environment: str, sessions: int, start_timeout: float) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="openenv-gym-worker-"))
        self.seats = 0
        self.steps = 0
        self.retired = False
        self._reason = ""
        self._stopping = threading.Lock()
        self._child: Child | None = None
        try:
            self._child = Child(
                ["serve", environment, "--pipe", str(self._folder), "--owned"]
                + ["--max-sessions", str(sessions + 1)],  # the owner's connection counts
                fd=None,
            )
            # The first connection is the owner's: the worker ends with it.
            self._owner = self._connect(start_timeout)
        except BaseException:
            self.stop()
            raise

    def _connect(self, limit: float) -> Stream:
        child = self._child
        assert child is not None, "it was started"
        key = self._folder / "key"
        deadline = time.monotonic() + limit
        while not key.exists() and time.monotonic() < deadline and child.dead() is None:
            time.sleep(0.005)
        data = key.read_bytes() if key.exists() else b""
        left = max(deadline - time.monotonic(), 0.0)
        return connect(self._folder / "socket", data, limit=left, dead=child.dead)

    def connect(self, limit: float) -> Stream:
        """Return a connection for one session."""
        return self._connect(limit)

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self._child is not None, "it was started"
        return int(self._child.isolation["pid"])

    @property
    def alive(self) -> bool:
        """It runs, and was not asked to end."""
        return not self._reason and self._child is not None and self._child.dead() is None

    @property
    def memory(self) -> int:
        """Bytes that the process holds."""
        try:
            pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def answers(self) -> bool:
        """Return whether it takes a connection: its sessions' steps leave each other a turn."""
        try:
            self._connect(0.0).close()
        except (OpenEnvGymError, OSError):
            return False
        return True

    def fate(self) -> str:
        """Return what became of it, with the last lines that it wrote."""
        fate = "" if self._child is None else self._child.fate()
        return f"{self._reason} {fate}".strip()

    def kill(self, reason: str) -> None:
        """End it at once."""
        self._reason = self._reason or reason
        if self._child is not None:
            self._child.kill()
        self.stop()

    def stop(self) -> None:
        """End it, and remove what it left; a second call does nothing."""
        with self._stopping:
            self._reason = self._reason or "The worker was ended."
            owner = self.__dict__.pop("_owner", None)
            if owner is not None:
                owner.close()
            if self._child is not None:
                self._child.stop(_STOP_LIMIT)
            shutil.rmtree(self._folder, ignore_errors=True)


class Seat:
    """A session's place in a worker, which others share."""

    def __init__(self, pool: WorkerPool, worker: Worker) -> None:
        self._pool = pool
        self.worker = worker
        self._taken = True

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements OwnedServer.isolation."""
        return {"boundary": "process", "pid": self.worker.pid}

    @property
    def log(self) -> list[str]:
        """Implements OwnedServer.log."""
        return []

    def dead(self) -> str | None:
        """Implements OwnedServer.dead."""
        return None if self.worker.alive else self.worker.fate()

    def fate(self) -> str:
        """Implements OwnedServer.fate."""
        return self.worker.fate()

    def kill(self) -> None:
        """Implements OwnedServer.kill: the seat is free; a worker is killed by its link."""
        self.stop(0.0)

    def stop(self, limit: float) -> None:
        """Implements OwnedServer.stop: the seat is free; the worker goes on."""
        if self._taken:
            self._taken = False
            self._pool.leave(self.worker)


class WorkerLink(PipeLink):
    """A session in a worker."""

    def __init__(self, stream: Stream, seat: Seat, **keywords: Any) -> None:
        super().__init__(stream, seat, **keywords)
        self._seat = seat

    @property
    def renewable(self) -> bool:
        """Implements Link.renewable: others share the worker."""
        return False

    def count_step(self) -> None:
        """Implements Link.count_step."""
        self._seat.worker.steps += 1

    def kill(self, reason: str) -> None:
        """Implements Link.kill: end the worker, with all of its sessions."""
        self._seat.worker.kill(reason)
        self.close()

    def give_up(self, reason: str) -> None:
        """Implements Link.give_up: the worker ends with its other sessions, if these can go on."""
        worker = self._seat.worker
        worker.retired = True
        if worker.seats == 1 or not worker.answers():
            worker.kill(reason)
        self._hang_up()
        self._seat.stop(0.0)


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WorkerPool(Transport):
    """Spreads sessions over worker processes on this machine; what a server's backend is.

    A session goes to the worker that has the fewest. A worker that dies, or is killed, is replaced
    by the next session that needs one.

    Args:
        environment: The environment, which all sessions have.
        workers: How many processes; None for one per core, and two at least.
        sessions_per_worker: Sessions that one of them may have at a time; None for any number.
        worker_memory: Bytes that one may hold: what takes more is killed.
        worker_max_steps: After so many steps a worker is replaced, once it has no sessions.
        timeout: Seconds to wait for a reply.
        start_timeout: Seconds until a worker, and a session in it, must be there.
    """

    name: ClassVar[str] = "workers"

    environment: str | None = None
    workers: int | None = None
    sessions_per_worker: int | None = None
    worker_memory: int | None = None
    worker_max_steps: int | None = None
    _state: _State = field(default_factory=lambda: _State(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("workers", "sessions_per_worker", "worker_memory", "worker_max_steps"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name}={value} is not valid: give 1 or more.", **{name: value})

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open."""
        seat = Seat(self, self._take(request.environment))
        try:
            stream = seat.worker.connect(self.start_timeout)
            link = WorkerLink(stream, seat, timeout=self.timeout, settings=settings)
        except BaseException:
            seat.stop(0.0)
            raise
        link.begin(request, self.start_timeout)
        return link

    def start(self) -> None:
        """Start all workers, so that the first sessions need not wait for them."""
        for _ in range(self._wanted):
            with self._state.lock:
                if len(self._state.workers) >= self._wanted:
                    return
                self._state.workers.append(self._start(self.environment))

    @property
    def _wanted(self) -> int:
        # With one alone a step that does not end would hold all sessions.
        return self.workers or max(os.cpu_count() or 1, 2)

    def _take(self, environment: str | None) -> Worker:
        """Return the worker that has the fewest sessions; a new one where there is room for it."""
        most = self.sessions_per_worker or _SESSIONS
        with self._state.lock:
            self._sweep()
            usable = [worker for worker in self._state.workers if not worker.retired]
            if len(usable) < self._wanted:
                worker = self._start(environment or self.environment)
                self._state.workers.append(worker)
                usable.append(worker)
            worker = min(usable, key=lambda each: each.seats)
            if worker.seats >= most:
                raise ServerFullError(
                    f"All {self._wanted} workers have their {most} sessions. Close some, or serve "
                    "with more --workers or --sessions-per-worker.",
                    max_sessions=most * self._wanted,
                    free=0,
                )
            worker.seats += 1
            return worker

    def _start(self, environment: str | None) -> Worker:
        if environment is None:
            raise OptionError("Workers serve one environment, which must be named.")
        worker = Worker(environment, self.sessions_per_worker or _SESSIONS, self.start_timeout)
        state = self._state
        if state.watcher is None and self.worker_memory is not None:
            state.watcher = threading.Thread(target=self._watch, daemon=True, name="workers")
            state.watcher.start()
        return worker

    def _sweep(self) -> None:
        """Let go of workers that are dead."""
        state = self._state
        for worker in [each for each in state.workers if not each.alive]:
            state.workers.remove(worker)
            state.replaced += 1
            threading.Thread(target=worker.stop, daemon=True).start()

    def leave(self, worker: Worker) -> None:
        """Note that a session of a worker ended."""
        with self._state.lock:
            worker.seats -= 1
            if self.worker_max_steps is not None and worker.steps >= self.worker_max_steps:
                worker.retired = True
            ended = worker.retired and not worker.seats and worker in self._state.workers
            if ended:
                self._state.workers.remove(worker)
                self._state.replaced += 1
        if ended:
            worker.stop()

    def _watch(self) -> None:
        """Kill what takes more memory than it may."""
        while not self._state.ended.wait(_LOOK):
            with self._state.lock:
                workers = list(self._state.workers)
            for worker in workers:
                if self.worker_memory is not None and worker.memory > self.worker_memory:
                    worker.kill(
                        f"The worker took more memory than its {self.worker_memory} bytes "
                        "(--worker-memory), and was killed."
                    )

    def statistics(self) -> dict[str, Any]:
        """Return the workers' numbers, memory and sessions, and how many were replaced."""
        with self._state.lock:
            workers = list(self._state.workers)
            replaced = self._state.replaced
        return {
            "workers": [
                {"pid": worker.pid, "sessions": worker.seats, "memory": worker.memory}
                for worker in workers
            ],
            "replaced": replaced,
        }

    def end(self) -> None:
        """End all workers."""
        self._state.ended.set()
        with self._state.lock:
            workers, self._state.workers = self._state.workers, []
        threads = [threading.Thread(target=_stop, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


@dataclass
class _State:
    """What a pool has now."""

    workers: list[Worker] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    ended: threading.Event = field(default_factory=threading.Event)
    watcher: threading.Thread | None = None
    replaced: int = 0


def _stop(worker: Worker) -> None:
    with contextlib.suppress(OpenEnvGymError):
        worker.stop()
