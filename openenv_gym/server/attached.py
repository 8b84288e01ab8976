"""A session of a network server, with its last reply and its connection."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from functools import partial
from time import monotonic, perf_counter, perf_counter_ns
from typing import Any, Protocol

from openenv_gym.errors import (
    OpenEnvGymError,
    ProtocolError,
    ServerClosingError,
    SessionLostError,
)
from openenv_gym.server.events import Deliver
from openenv_gym.server.exchange import CarryOut, carry_out, read, unforeseen
from openenv_gym.server.meter import Meter, MeteredSession
from openenv_gym.sessions.session import Session
from openenv_gym.wire.envelope import Envelope
from openenv_gym.wire.messages import Close, Frame, Render, Request, Step, StepVector

STEPS = (Step, StepVector)
"""Requests that are carried out, or passed on, where they arrive."""
VISIBLE = ("rgb_array", "ansi", "human?")
"""Render modes that give a picture without its client noticing: a list of them is the client's."""

_log = logging.getLogger(__name__)


class Line(Protocol):
    """A connection that stays: what a session is attached to."""

    def hang_up(self, reason: str) -> None:
        """Ends the connection."""


class AttachedSession(ABC):
    """A session with its last reply, and the connection that it is attached to.

    Args:
        lanes: How many sessions it counts for: each lane of a vector is one.
        over: Called when it has no environment any more.
        meter: Counts its requests.
        numbered: Its client numbers its requests.

    Attributes:
        line: Its connection.
        left: When that dropped.
        used: When it was used last.
        unwanted: Its client wants it no longer: it ends without a connection.
        ending: It is being closed, whatever its client says.
        closing: The server ends, and carries out no further request.
        began: When it began.
        number: Which of the server's sessions it is, counted from 1; unlike its id it is no secret.
        steps: Its steps, of all lanes.
        seconds: How long they took.
        deliver: Gets the reply that is due, where its future is not waited for.
    """

    def __init__(
        self, lanes: int, over: Callable[[], None], meter: Meter, *, numbered: bool
    ) -> None:
        self.lanes = lanes
        self._meter = meter
        self.numbered = numbered
        self._over = over
        self._last = 0  # number of the request that was taken last
        self._reply: Any = b""  # or its future
        self.line: Line | None = None
        self.left: float | None = None
        self.used = self.began = monotonic()
        self.number = 0
        self.steps = 0
        self.seconds = 0.0
        self.unwanted = False
        self.ending = False
        self.closing = False
        self.deliver: Deliver | None = None

    @abstractmethod
    def read_step(self, data: Any) -> Request | Envelope | None:
        """Return the request in the bytes, if it is a step that can begin on the event loop.

        Raises:
            CodecError: They are not a message of ours.
            ProtocolError: They are a reply.
        """

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """There is an environment."""

    @abstractmethod
    def _carry_out(self, request: Request | Envelope, carry_out: CarryOut) -> Any:
        """Return the reply to a request, or its future."""

    @abstractmethod
    def finish(self) -> None:
        """Let go of what the session holds, once it has no environment any more."""

    @abstractmethod
    async def close(self, limit: float) -> bool:
        """Close the environment; False where that takes more than so many seconds."""

    @property
    @abstractmethod
    def failures(self) -> int:
        """How many of its requests failed."""

    @property
    def running(self) -> asyncio.Future[Any] | None:
        """The reply to the request that is being carried out, to come."""
        reply = self._reply
        return reply if isinstance(reply, asyncio.Future) and not reply.done() else None

    @property
    def busy(self) -> bool:
        """A request is being carried out."""
        return self.running is not None

    @property
    def next(self) -> int:
        """The number of the next request."""
        return self._last + 1

    def attach(self, line: Line | None) -> None:
        """Attaches it to a connection, or to none; any other is hung up."""
        self.left = None
        if line is not self.line:
            self.hang_up("the session goes on over another connection")
            self.line = line

    def hang_up(self, reason: str) -> None:
        """Hangs up its connection, if it has one."""
        if self.line is not None:
            self.line.hang_up(reason)
            self.line = None

    def submit(self, request: Request | Envelope, carry_out: CarryOut = carry_out) -> Any:
        """Takes a request; gives what ``carry_out`` makes of it, or its future.

        Raises:
            SessionLostError: It ends.
            ProtocolError: The request is out of turn.
        """
        if self.ending:
            raise SessionLostError("The session is over: make a new environment.")
        self.used = monotonic()
        if request.id == self._last:
            return self._reply
        if self.closing:
            raise closing()
        kind = request.kind if type(request) is Envelope else type(request)
        # A client that closes does not repeat what was not answered.
        if request.id <= self._last or (request.id != self._last + 1 and kind is not Close):
            raise ProtocolError(
                f"Request {request.id} is out of turn: {self._last + 1} was due, or {self._last} "
                "once more. One client must use a session, and one thread at a time.",
                got=request.id,
                expected=self._last + 1,
            )
        began = perf_counter()
        reply = self._reply = self._carry_out(request, carry_out)
        if type(reply) is not bytes and isinstance(reply, asyncio.Future):
            self._meter.pending += 1
            reply.add_done_callback(partial(self._check, kind, began))
        else:
            self._observe(kind, perf_counter() - began)
        self._last = request.id
        return reply

    def _observe(self, kind: type[Any], seconds: float) -> None:
        self._meter.observe(kind, seconds, self.lanes)
        if kind in STEPS:
            self.steps += self.lanes
            self.seconds += seconds

    def picture(self) -> asyncio.Future[Any] | None:
        """Draw what the session shows, between two of its requests.

        Returns:
            When it is drawn, the picture, (height, width, 3) uint8, or a text, or a list of one for
            each lane, or an error, as a future; None where there is nothing to see, or not without
            its client noticing.
        """
        return None

    def end(self) -> Any:
        """Closes the environment after the requests so far; if it hangs, the reaper gives it up."""
        self.left = monotonic()
        return self.submit(Close(id=self.next))

    def _check(self, kind: type[Any], began: float, reply: asyncio.Future[Any]) -> None:
        self.used = monotonic()
        self._meter.pending -= 1
        self._observe(kind, perf_counter() - began)
        if not self.is_open and not self.busy:
            self._over()


def closing() -> ServerClosingError:
    """Return the error for what is asked of a server that is ending."""
    return ServerClosingError(
        "The server is ending: it takes no new sessions, and the ones that it had end with it. "
        "Make a new environment, at another server or when this one is back."
    )


class ThreadSession(AttachedSession):
    """A session in this process, with a thread of its own.

    Args:
        session: The session.
        lanes: How many sessions it counts for.
        over: Called when it has no environment any more.
        meter: Counts its requests.
        numbered: Its client numbers its requests.
    """

    def __init__(
        self,
        session: MeteredSession,
        lanes: int,
        over: Callable[[], None],
        meter: Meter,
        *,
        numbered: bool,
    ) -> None:
        super().__init__(lanes, over, meter, numbered=numbered)
        self._session = session
        self._worker = CallThread()
        self._drawing: asyncio.Future[Any] | None = None

    @property
    def _inline(self) -> bool:
        """Steps are carried out on the event loop; not while the thread draws a picture."""
        drawing = self._drawing is not None and not self._drawing.done()
        return self._session.inline and not drawing

    def read_step(self, data: Any) -> Request | None:
        """Implements AttachedSession.read_step: a step of an inline environment."""
        request = read(data) if self._inline else None
        return request if type(request) in STEPS else None

    @property
    def is_open(self) -> bool:
        """Implements AttachedSession.is_open."""
        return self._session.is_open

    def _carry_out(self, request: Any, carry_out: CarryOut) -> Any:
        # An inline environment says that its steps are short and that the thread is all one to
        # it. All else that it does may take its time, and stays on the session's thread.
        if type(request) in STEPS and self._inline and not self.busy:
            return carry_out(self._session, request, 0)
        arrived = perf_counter_ns() if request.timed else 0
        return self._worker.run(carry_out, self._session, request, arrived)

    @property
    def failures(self) -> int:
        """Implements AttachedSession.failures."""
        return self._session.failures

    def picture(self) -> asyncio.Future[Any] | None:
        """Implements AttachedSession.picture, on the session's thread: a step waits meanwhile."""
        if self._session.render_mode not in VISIBLE:
            return None
        if self._drawing is None or self._drawing.done():
            self._drawing = self._worker.run(_draw, self._session)
        return self._drawing

    def finish(self) -> None:
        """Implements AttachedSession.finish: let the thread end."""
        self._worker.finish()

    async def close(self, limit: float) -> bool:
        """Implements AttachedSession.close."""
        closed = self._worker.run(_close, self._session)
        done, _ = await asyncio.wait({closed}, timeout=limit)
        return bool(done)


def _draw(session: Session) -> Any:
    try:
        # Past what counts failures: this is nothing that its client asked for.
        reply = Session.handle(session, Render())
    except OpenEnvGymError as error:
        return error
    except BaseException as error:
        return unforeseen(error)
    assert isinstance(reply, Frame)
    return reply.frame


def _close(session: Session) -> None:
    try:
        session.close()
    except (OpenEnvGymError, SystemExit) as error:
        _log.warning("closing the environment: %s", error)


class CallThread:
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
