"""The sessions of a network server: how many, how long, and each request exactly once.

A session outlives its connection for a while, and keeps its last reply: a client that reconnects
and repeats its request gets the same reply, also while the first one still runs. All methods
belong on the event loop of the server; only the environments' code runs on other threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import queue
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from time import monotonic, perf_counter_ns
from typing import Any, Protocol

from openenv_gym.errors import (
    OpenEnvGymError,
    OptionError,
    ProtocolError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.messages import Open, OpenVector, Request, Step, StepVector
from openenv_gym.server.answer import carry_out, read, refusal
from openenv_gym.session import Session

_log = logging.getLogger(__name__)

CLOSE_LIMIT = 3.0
"""Seconds that an environment may take to close."""

_ID = re.compile(r"[A-Za-z0-9_-]{32,128}")
_STEPS = (Step, StepVector)
_TICK = 1.0  # seconds between two looks for sessions that nobody uses any more


class Line(Protocol):
    """A connection that stays: what a session is attached to."""

    def hang_up(self, reason: str) -> None:
        """Ends the connection."""


class Sessions:
    """Sessions of one environment, by their ids.

    An id is a secret that only its client knows. The client proposes it with its first request,
    so that it can repeat that one too when the reply is lost.

    Args:
        environment: Name of the environment.
        options: Options of the environment, which only the owner of the server can override.
        owner: The clients are the owner of the server.
        max_sessions: Sessions at a time.
        idle_timeout: Seconds without a request after which a session ends.
        resume_timeout: Seconds after which it ends when its connection dropped.
        reveal: Tell clients what the environment's errors say.

    Attributes:
        stuck: A session was given up, and its thread with it: the process cannot end by itself
            as it should.

    Raises:
        OptionError: A limit is none.
    """

    def __init__(
        self,
        environment: str,
        *,
        options: Mapping[str, Any] | None = None,
        owner: bool = False,
        max_sessions: int = 64,
        idle_timeout: float | None = 3600.0,
        resume_timeout: float | None = 60.0,
        reveal: bool = False,
    ) -> None:
        for name, limit in (
            ("max_sessions", max_sessions),
            ("idle_timeout", idle_timeout),
            ("resume_timeout", resume_timeout),
        ):
            if limit is not None and not limit > 0:
                raise OptionError(f"{name}={limit} is no limit: give a number above 0.", name=name)
        self.environment = environment
        self.stuck = False
        self.max_sessions = max_sessions
        self._idle_timeout = math.inf if idle_timeout is None else idle_timeout
        self._resume_timeout = math.inf if resume_timeout is None else resume_timeout
        self._settings: dict[str, Any] = {"options": options, "owner": owner, "reveal": reveal}
        self._sessions: dict[str, _Hosted] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._closed = False

    def __len__(self) -> int:
        return sum(hosted.lanes for hosted in self._sessions.values())

    def submit(self, id: str, data: Any, line: Line | None = None) -> bytes | asyncio.Future[bytes]:
        """Takes a request.

        Args:
            id: Of the session; an unknown one begins a session if the request is Open.
            data: The encoded request.
            line: The connection that it came over, if that is one session's own. The session is
                detached from any other, which is hung up.

        Returns:
            The encoded reply, a failure where it failed; or its future, where it takes a while.
            The future is the session's own: it must not be cancelled.
        """
        try:
            request = read(data)
        except OpenEnvGymError as error:
            return refusal(error, 0)
        try:
            hosted = self._sessions.get(id) or self._begin(id, request)
            hosted.attach(line)
            return hosted.submit(request)
        except OpenEnvGymError as error:
            return refusal(error, request.id)

    def step_at_once(self, id: str, line: Line, data: Any) -> bytes | None:
        """Takes a request that is a step of an inline environment, and no other.

        Args:
            id: Of the session.
            line: The connection that it came over.
            data: The encoded request.

        Returns:
            The encoded reply; None for what only :meth:`submit` can take.
        """
        hosted = self._sessions.get(id)
        if hosted is None or hosted.line is not line or not hosted.inline or hosted.busy:
            return None
        try:
            request = read(data)
        except OpenEnvGymError as error:
            return refusal(error, 0)
        if type(request) not in _STEPS:
            return None
        try:
            reply = hosted.submit(request)
        except OpenEnvGymError as error:
            return refusal(error, request.id)
        return reply if isinstance(reply, bytes) else None

    def detach(self, id: str, line: Line | None) -> None:
        """Notes that a connection is gone: from now on the session waits to be resumed."""
        hosted = self._sessions.get(id)
        if hosted is not None and hosted.line is line:
            hosted.line = None
            hosted.left = monotonic()

    async def close(self) -> None:
        """Ends all sessions, within :data:`CLOSE_LIMIT`; from now on there are none."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        for id in list(self._sessions):
            self._end(id, "the server ends")
        if self._endings:
            await asyncio.wait(self._endings)

    def _begin(self, id: str, request: Request) -> _Hosted:
        if not isinstance(request, Open | OpenVector):
            raise SessionLostError(
                "The server does not have this session, or no longer: it ends when it was idle "
                f"for {self._idle_timeout:g} s, or without a connection for "
                f"{self._resume_timeout:g} s, or with the server. Make a new environment.",
                idle_timeout=self._idle_timeout,
                resume_timeout=self._resume_timeout,
            )
        if not _ID.fullmatch(id):
            raise ProtocolError(
                "The id of a session must be 32 to 128 characters of A-Z, a-z, 0-9, - and _, not "
                "to be guessed: secrets.token_urlsafe(24). Or leave it to the server."
            )
        lanes = len(request.options) if isinstance(request, OpenVector) else 1
        free = 0 if self._closed else self.max_sessions - len(self)
        if lanes > free:
            raise ServerFullError(
                f"{lanes} of this server's {self.max_sessions} sessions were asked for, but "
                f"{free} are free. Close some, or serve with a larger --max-sessions.",
                max_sessions=self.max_sessions,
                free=free,
                wanted=lanes,
            )
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())
        session = Session(self.environment, **self._settings)
        hosted = _Hosted(session, lanes, over=lambda: self._forget(id))
        self._sessions[id] = hosted
        return hosted

    async def _reap(self) -> None:
        shortest = min(self._idle_timeout, self._resume_timeout)
        tick = max(min(_TICK, shortest / 4), 0.01)
        while True:
            await asyncio.sleep(tick)
            now = monotonic()
            for id, hosted in list(self._sessions.items()):
                if hosted.left is not None and now - hosted.left > self._resume_timeout:
                    self._end(id, "its connection did not come back")
                elif not hosted.busy and now - hosted.used > self._idle_timeout:
                    self._end(id, f"idle for {self._idle_timeout:g} s")

    def _forget(self, id: str) -> None:
        """Takes out a session that has no environment: it was closed, or could not be made."""
        hosted = self._sessions.pop(id, None)
        if hosted is not None:
            hosted.finish()

    def _end(self, id: str, reason: str) -> None:
        """Begins to end a session; its place is free when its environment is closed."""
        hosted = self._sessions[id]
        if hosted.ending:
            return
        hosted.ending = True
        _log.info("a session ends: %s", reason)
        hosted.hang_up(reason)
        task = asyncio.create_task(self._finish(id, hosted))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _finish(self, id: str, hosted: _Hosted) -> None:
        if not await hosted.close():
            # Its thread cannot be ended. Its place is given away all the same: a server must not
            # fill up with sessions that nobody can use.
            _log.error("a session was given up: its environment does not come back")
            self.stuck = True
        self._forget(id)


class _Hosted:
    """A session with its thread, its last reply, and the connection that it is attached to."""

    def __init__(self, session: Session, lanes: int, over: Callable[[], None]) -> None:
        self._session = session
        self.lanes = lanes  # each lane of a vector counts as a session
        self._over = over  # called when the session has no environment any more
        self._worker = _Worker()
        self._last = 0  # number of the request that was taken last
        self._reply: bytes | asyncio.Future[bytes] = b""
        self.line: Line | None = None
        self.left: float | None = None  # when its connection dropped
        self.used = monotonic()
        self.ending = False

    @property
    def inline(self) -> bool:
        """Its steps are carried out on the event loop."""
        return self._session.inline

    @property
    def busy(self) -> bool:
        """A request is being carried out."""
        return not isinstance(self._reply, bytes) and not self._reply.done()

    def attach(self, line: Line | None) -> None:
        self.left = None
        if line is not self.line:
            self.hang_up("the session goes on over another connection")
            self.line = line

    def hang_up(self, reason: str) -> None:
        if self.line is not None:
            self.line.hang_up(reason)
            self.line = None

    def submit(self, request: Request) -> bytes | asyncio.Future[bytes]:
        if self.ending:
            raise SessionLostError("The session is over: make a new environment.")
        self.used = monotonic()
        if request.id == self._last:
            return self._reply
        if request.id != self._last + 1:
            raise ProtocolError(
                f"Request {request.id} is out of turn: {self._last + 1} was due, or {self._last} "
                "once more. One client must use a session, and one thread at a time.",
                got=request.id,
                expected=self._last + 1,
            )
        # An inline environment says that its steps are short and that the thread is all one to
        # it. All else that it does may take its time, and stays on the session's thread.
        if type(request) in _STEPS and self.inline and not self.busy:
            self._reply = carry_out(self._session, request)
        else:
            arrived = perf_counter_ns() if request.timed else 0
            self._reply = self._worker.run(carry_out, self._session, request, arrived)
            self._reply.add_done_callback(self._check)
        self._last = request.id
        return self._reply

    def _check(self, reply: asyncio.Future[bytes]) -> None:
        self.used = monotonic()
        if not self._session.is_open and not self.busy:
            self._over()

    def finish(self) -> None:
        """Lets the thread end."""
        self._worker.finish()

    async def close(self) -> bool:
        """Closes the environment; False where that takes too long."""
        closed = self._worker.run(_close, self._session)
        done, _ = await asyncio.wait({closed}, timeout=CLOSE_LIMIT)
        return bool(done)


def _close(session: Session) -> None:
    try:
        session.close()
    except (OpenEnvGymError, SystemExit) as error:
        _log.warning("closing the environment: %s", error)


class _Worker:
    """A thread that makes calls, in order, for an event loop.

    Unlike an executor's it is not waited for when the process ends: a step may hang.
    """

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        threading.Thread(target=self._work, daemon=True, name="session").start()

    def run(self, call: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """Makes a call that does not raise."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            result = call(*arguments)
            loop.call_soon_threadsafe(_deliver, future, result)

        self._calls.put(work)
        return future

    def finish(self) -> None:
        """Lets the thread end after the calls so far."""
        self._calls.put(None)

    def _work(self) -> None:
        while (work := self._calls.get()) is not None:
            # Where the loop is closed nobody waits any more, but the environment is to be closed.
            with contextlib.suppress(RuntimeError):
                work()


def _deliver(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)


def new_id() -> str:
    """An id for a session, not to be guessed."""
    return secrets.token_urlsafe(24)
