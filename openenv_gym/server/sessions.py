"""The sessions of a network server: how many, how long, and each request exactly once.

A session outlives its connection for a while, and keeps its last reply: a client that reconnects
and repeats its request gets the same reply, also while the first one still runs. All methods
belong on the event loop of the server; only the environments' code runs on other threads.
"""

from __future__ import annotations

import asyncio
import logging
import math
import re
import secrets
import threading
from collections.abc import Mapping
from time import monotonic
from typing import Any

from openenv_gym import registry
from openenv_gym.errors import (
    OpenEnvGymError,
    ProtocolError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.registry import Entry
from openenv_gym.server.attached import AttachedSession, Line, ThreadSession, closing
from openenv_gym.server.backed_session import BackedSession
from openenv_gym.server.backend import IN_THE_SERVER, Backend, BackendSettings
from openenv_gym.server.events import Deliver
from openenv_gym.server.exchange import CarryOut, read, refusal
from openenv_gym.server.meter import Meter, MeteredSession
from openenv_gym.server.process import check_limit
from openenv_gym.sessions.make import MakeAdapter, make_adapter
from openenv_gym.sessions.offer import Offer
from openenv_gym.wire.envelope import Envelope, read_envelope
from openenv_gym.wire.messages import Close, Open, OpenVector, Request
from openenv_gym.wire.names import SESSION_HEADER

_log = logging.getLogger(__name__)

HEADER_BYTES = SESSION_HEADER.lower().encode()
"""The header that names a session, as ASGI has it."""

CLOSE_LIMIT = 3.0
"""Seconds that an environment may take to close."""

MALFORMED_PAUSE = 0.005
"""Seconds until a client is answered that sent what is not a request."""

_ID = re.compile(r"[A-Za-z0-9_-]{32,128}")
_TICK = 1.0  # seconds between two looks for sessions that nobody uses any more
_GONE = 15.0  # seconds until a session ends whose client hung up, with nothing in between
_GONE_BUSY = 4.0  # likewise while it waited for a reply: who wants that comes back at once
_STEPPING = 1.0  # seconds since its last request in which a session is taken to be stepping


class Sessions:
    """Sessions of one environment, by their ids.

    An id is a secret that only its client knows. The client proposes it with its first request,
    so that it can repeat that one too when the reply is lost.

    Args:
        environment: Name of the environment, or what it stands for.
        options: Options of the environment, which only the owner of the server can override.
        owner: The clients are the owner of the server.
        max_sessions: Sessions at a time.
        idle_timeout: Seconds without a request after which a session ends.
        resume_timeout: Seconds after which it ends when its connection dropped.
        reveal: Send clients the texts of the environment's errors.
        backend: Where the sessions run.

    Attributes:
        environment: Name of the environment.
        stuck: A session was given up, and its thread with it: the process cannot end by itself
            as it should.
        meter: Counts what the sessions do.
        draining: The server is about to end: it takes no new sessions.

    Raises:
        OptionError: A limit is invalid.
    """

    def __init__(
        self,
        environment: str | Entry,
        *,
        options: Mapping[str, Any] | None = None,
        owner: bool = False,
        max_sessions: int = 64,
        idle_timeout: float | None = 3600.0,
        resume_timeout: float | None = 60.0,
        reveal: bool = False,
        backend: BackendSettings = IN_THE_SERVER,
    ) -> None:
        for name, limit in (
            ("max_sessions", max_sessions),
            ("idle_timeout", idle_timeout),
            ("resume_timeout", resume_timeout),
        ):
            check_limit(name, limit, f"{name}={limit}")
        self.environment = environment if isinstance(environment, str) else environment.name
        served = registry.environment(environment) if isinstance(environment, str) else environment
        self._offer = Offer(served, options or {}, owner, reveal)
        self._backend = backend.make(self._offer)
        self.stuck = False
        self.meter = Meter()
        self.draining = False
        self._started = self._backend is None
        self.max_sessions = max_sessions
        self._idle_timeout = math.inf if idle_timeout is None else idle_timeout
        self._resume_timeout = math.inf if resume_timeout is None else resume_timeout
        self._sessions: dict[str, AttachedSession] = {}
        self._reaper: asyncio.Task[None] | None = None
        self._endings: set[asyncio.Task[None]] = set()
        self._count = 0  # of sessions that were begun
        self._closed = False
        self._stepping = False, 0.0

    def __contains__(self, id: str) -> bool:
        return id in self._sessions

    def listed(self) -> list[AttachedSession]:
        """Return the sessions that there are, in the order of their numbers."""
        return list(self._sessions.values())

    @property
    def backend(self) -> Backend | None:
        """Where the sessions run; None in the server's own process."""
        return self._backend

    def __len__(self) -> int:
        return sum(attached.lanes for attached in self._sessions.values())

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
        attached = self._sessions.get(id)
        try:
            envelope = None if attached is not None else read_envelope(data)
            if envelope is not None and not issubclass(envelope.kind, Open | OpenVector):
                return self._refuse(self.lost(), envelope.id)
            request = read(data) if self._backend is None else _read_for_backend(data)
        except OpenEnvGymError as error:
            reply = self._refuse(error, 0)
            return reply if attached is None else _later(reply)
        try:
            attached = attached or self._open(id, request)
            if not attached.numbered:
                raise self.lost()
            attached.attach(line)
            running = attached.running
            carried_out: bytes | asyncio.Future[bytes] = attached.submit(request)
            if running is not None and _is_close(request):
                asyncio.get_running_loop().call_later(CLOSE_LIMIT, self._give_up, id, running)
            return carried_out
        except OpenEnvGymError as error:
            return self._refuse(error, request.id)

    def _refuse(self, error: OpenEnvGymError, id: int) -> bytes:
        self.meter.failed(error)
        return refusal(error, id)

    def step_at_once(self, id: str, line: Line, data: Any, deliver: Deliver) -> bool:
        """Takes a request that is a step which needs no thread of this process, and no other.

        Args:
            id: Of the session.
            line: The connection that it came over.
            data: The encoded request.
            deliver: Gets the encoded reply, before this returns or later.

        Returns:
            Whether the request was taken; else only :meth:`submit` can take it.
        """
        attached = self._sessions.get(id)
        if attached is None or attached.line is not line or attached.busy:
            return False
        try:
            request = attached.read_step(data)
        except OpenEnvGymError:
            return False
        if request is None:
            return False
        try:
            reply = attached.submit(request)
        except OpenEnvGymError as error:
            reply = self._refuse(error, request.id)
        if isinstance(reply, bytes):
            deliver(reply)
        elif reply.done():
            deliver(reply.result())
        else:
            attached.deliver = deliver
        return True

    def begin(
        self, id: str, make_adapter: MakeAdapter, lanes: int = 1, *, numbered: bool = False
    ) -> None:
        """Begins a session; its first request is to be Open, or OpenVector.

        Args:
            id: Its id, which no session has.
            make_adapter: How its environments are made.
            lanes: How many sessions it counts for.
            numbered: Its client numbers its requests, as ours do; else see :meth:`ask`.

        Raises:
            ServerFullError: There is no room for it.
            ServerClosingError: The server is ending.
        """
        try:
            self._check_room(lanes)
        except OpenEnvGymError as error:
            if not numbered:  # else whoever sends the refusal counts it
                self.meter.failed(error)
            raise
        if self._reaper is None:
            self._reaper = asyncio.create_task(self._reap())
        attached = self._sessions[id] = self._attached(id, make_adapter, lanes, numbered)
        self.meter.opened += lanes
        self._count += 1
        attached.number = self._count

    def _check_room(self, lanes: int) -> None:
        if self.draining:
            raise closing()
        free = 0 if self._closed else self.max_sessions - len(self)
        if lanes > free:
            raise ServerFullError(
                f"{lanes} of this server's {self.max_sessions} sessions were asked for, but "
                f"{free} are free. Close some, or serve with a larger --max-sessions.",
                max_sessions=self.max_sessions,
                free=free,
                wanted=lanes,
            )

    def _attached(
        self, id: str, make_adapter: MakeAdapter, lanes: int, numbered: bool
    ) -> AttachedSession:
        def over() -> None:
            self._forget(id)

        if self._backend is not None:
            as_json = not numbered
            return BackedSession(
                self._backend, lanes, over, self.meter, numbered=numbered, as_json=as_json
            )
        session = MeteredSession(self.meter, offer=self._offer, make_adapter=make_adapter)
        return ThreadSession(session, lanes, over, self.meter, numbered=numbered)

    def ask(self, id: str, request: Request, carry_out: CarryOut) -> Any:
        """Takes a request of a client that does not number them: it comes after all before it.

        Args:
            id: Of a session that was begun for such a client.
            request: The request.
            carry_out: Gives the reply.

        Returns:
            What ``carry_out`` gives, or its future, where it takes a while; not to be cancelled.

        Raises:
            SessionLostError: There is no such session, or no longer.
        """
        attached = self._unnumbered(id)
        if attached.line is None:
            attached.left = None
        request.id = attached.next
        return attached.submit(request, carry_out)

    def has(self, id: str) -> bool:
        """There is a session of this id whose client does not number its requests."""
        try:
            return not self._unnumbered(id).ending
        except SessionLostError:
            return False

    def attach(self, id: str, line: Line) -> None:
        """Attaches such a session to a connection; it is detached from any other, as in submit.

        Raises:
            SessionLostError: There is no such session, or no longer.
        """
        self._unnumbered(id).attach(line)

    def leave(self, id: str) -> Any:
        """Ends such a session, after what was asked of it so far.

        Returns:
            When it ended, as a future; None while it is attached to a connection: then it ends
            when it is detached.

        Raises:
            SessionLostError: There is no such session, or no longer.
        """
        attached = self._unnumbered(id)
        attached.unwanted = True
        return None if attached.line is not None else attached.end()

    def detach(self, id: str, line: Line | None, *, gone: bool = False) -> None:
        """Notes that a connection is gone: from now on the session waits to be resumed.

        Args:
            id: Of the session.
            line: The connection; nothing happens if the session has another by now.
            gone: The client itself hung up: it comes back at once, or it has ended.
        """
        attached = self._sessions.get(id)
        if attached is not None and attached.line is line:
            attached.line = None
            attached.left = monotonic()
            patience = _GONE_BUSY if attached.busy else _GONE
            if gone and self._resume_timeout > patience:
                attached.left -= self._resume_timeout - patience
            if attached.unwanted and not attached.ending:
                attached.end()

    def start(self) -> None:
        """Start what the backend can have ready before the first session asks for it."""
        if self._backend is not None:
            threading.Thread(target=self._start_backend, daemon=True, name="backend").start()

    def _start_backend(self) -> None:
        assert self._backend is not None, "it is asked for where there is one"
        self._backend.start()
        self._started = True

    @property
    def ready(self) -> bool:
        """The server takes new sessions: its backend has started, and it is not ending."""
        return self._started and not (self.draining or self._closed)

    def refuse_all(self) -> None:
        """From now on every request but a repeated one gets a ServerClosingError."""
        self.draining = True
        for attached in self._sessions.values():
            attached.closing = True

    def stepping(self) -> bool:
        """Return whether a session was used in the last second."""
        stepping, seen = self._stepping
        now = monotonic()
        if now - seen > _STEPPING / 4:
            stepping = any(now - other.used < _STEPPING for other in self._sessions.values())
            self._stepping = stepping, now
        return stepping

    async def close(self) -> None:
        """Ends all sessions, within :data:`CLOSE_LIMIT`; from now on there are none."""
        self._closed = True
        if self._reaper is not None:
            self._reaper.cancel()
        for id in list(self._sessions):
            self._end(id, "the server ends")
        if self._endings:
            await asyncio.wait(self._endings)
        if self._backend is not None:
            await asyncio.to_thread(self._backend.close)

    def _unnumbered(self, id: str) -> AttachedSession:
        attached = self._sessions.get(id)
        if attached is None or attached.numbered or (attached.unwanted and attached.line is None):
            raise self.lost()
        return attached

    def lost(self) -> SessionLostError:
        """The error for a session that is not there, or no longer."""
        return SessionLostError(
            "The server does not have this session, or no longer: it ends when it was idle "
            f"for {self._idle_timeout:g} s, or without a connection for "
            f"{self._resume_timeout:g} s, or with the server. Make a new environment.",
            idle_timeout=self._idle_timeout,
            resume_timeout=self._resume_timeout,
        )

    def _open(self, id: str, request: Request | Envelope) -> AttachedSession:
        if not isinstance(request, Open | OpenVector):
            raise self.lost()
        if not _ID.fullmatch(id):
            raise ProtocolError(
                "The id of a session must be 32 to 128 characters of A-Z, a-z, 0-9, - and _, not "
                "to be guessed: secrets.token_urlsafe(24). Or leave it to the server."
            )
        lanes = len(request.options) if isinstance(request, OpenVector) else 1
        self.begin(id, make_adapter, lanes, numbered=True)
        return self._sessions[id]

    async def _reap(self) -> None:
        shortest = min(self._idle_timeout, self._resume_timeout)
        tick = max(min(_TICK, shortest / 4), 0.01)
        while True:
            await asyncio.sleep(tick)
            now = monotonic()
            for id, attached in list(self._sessions.items()):
                if attached.left is not None and now - attached.left > self._resume_timeout:
                    self._end(id, "its connection did not come back")
                elif not attached.busy and now - attached.used > self._idle_timeout:
                    self._end(id, f"idle for {self._idle_timeout:g} s")

    def _forget(self, id: str) -> None:
        """Takes out a session that has no environment: it was closed, or could not be made."""
        attached = self._sessions.pop(id, None)
        if attached is not None:
            attached.finish()

    def _end(self, id: str, reason: str, *, at_once: bool = False) -> None:
        """Begins to end a session; its place is free when its environment is closed."""
        attached = self._sessions[id]
        if attached.ending:
            return
        attached.ending = True
        _log.info("a session ends: %s", reason)
        attached.hang_up(reason)
        task = asyncio.create_task(self._finish(id, attached, 0.0 if at_once else CLOSE_LIMIT))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def _give_up(self, id: str, running: asyncio.Future[bytes]) -> None:
        """End a session whose client closed it in the midst of a request, which still runs."""
        if id in self._sessions and not running.done():
            self._end(id, "its client closed it, but its last request does not end", at_once=True)

    async def _finish(self, id: str, attached: AttachedSession, limit: float) -> None:
        if not await attached.close(limit):
            # Its thread cannot be ended. Its place is given away all the same: a server must not
            # fill up with sessions that nobody can use.
            _log.error("a session was given up: its environment does not come back")
            self.stuck = True
        self._forget(id)


def _is_close(request: Request | Envelope) -> bool:
    return (request.kind if isinstance(request, Envelope) else type(request)) is Close


def _read_for_backend(data: Any) -> Request | Envelope:
    """Return a request that opens a session; of any other only the envelope is read."""
    envelope = read_envelope(data)
    if issubclass(envelope.kind, Open | OpenVector):
        return read(data)
    if not issubclass(envelope.kind, Request):
        raise ProtocolError(f"A {envelope.kind.__name__} is not a request.")
    return envelope


def _later(reply: bytes) -> asyncio.Future[bytes]:
    """The reply to what is not a request: a client that sends many is not to keep others waiting.

    Strangers are slowed down before (:mod:`~openenv_gym.server.connections`).
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[bytes] = loop.create_future()
    loop.call_later(MALFORMED_PAUSE, future.set_result, reply)
    return future


def new_id() -> str:
    """An id for a session, not to be guessed."""
    return secrets.token_urlsafe(24)
