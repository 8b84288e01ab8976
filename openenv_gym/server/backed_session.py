"""A session of a network server that runs behind a backend: requests pass through as they came."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from openenv_gym.errors import (
    CodecError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    OptionError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.server.attached import STEPS, VISIBLE, AttachedSession, CallThread
from openenv_gym.server.backend import Backend, Opened
from openenv_gym.server.conversation import Conversation, converse
from openenv_gym.server.exchange import CarryOut, refusal, unforeseen
from openenv_gym.server.exchange import carry_out as as_bytes
from openenv_gym.server.meter import Meter
from openenv_gym.sessions.failures import hidden_failure
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.envelope import Envelope, read_envelope
from openenv_gym.wire.messages import (
    Close,
    Failure,
    Open,
    OpenVector,
    Render,
    Reply,
    Request,
    Reset,
    Step,
)

_log = logging.getLogger(__name__)


class _Pending(NamedTuple):
    kind: type[Request]
    id: int
    data: Any
    carry_out: CarryOut
    future: asyncio.Future[Any]


def _peek(session: Any, request: Request, arrived: int) -> Any:
    """Carry out what draws a picture that the client did not ask for."""
    try:
        return session.handle(request).frame
    except OpenEnvGymError as error:
        return error


class _Answered:
    """Stands for a session whose reply is there already, for what writes it in another form."""

    def __init__(self, reply: Reply | OpenEnvGymError) -> None:
        self._reply = reply

    def handle(self, request: Request) -> Reply:
        """Return the reply, or raise the error."""
        if isinstance(self._reply, OpenEnvGymError):
            raise self._reply
        return self._reply


class BackedSession(AttachedSession):
    """A session whose environment is behind a link of a backend.

    Args:
        backend: Opens the link.
        lanes: How many sessions it counts for.
        over: Called when it has no environment any more.
        meter: Counts its requests.
        numbered: Its client numbers its requests.
        as_json: Its values are JSON of the environment's models.
    """

    def __init__(
        self,
        backend: Backend,
        lanes: int,
        over: Callable[[], None],
        meter: Meter,
        *,
        numbered: bool,
        as_json: bool,
    ) -> None:
        super().__init__(lanes, over, meter, numbered=numbered)
        self._backend = backend
        self._as_json = as_json
        self._opened: Opened | None = None
        self._conversation: Conversation | None = None
        self._waiting: deque[_Pending] = deque()
        self._current: _Pending | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reason = ""  # why it was killed
        self._over_now = False
        self._failures = 0
        self._opening: asyncio.Task[None] | None = None
        self._visible = False  # it has a render mode that a picture can be asked for
        self._thread: CallThread | None = CallThread()

    def read_step(self, data: Any) -> Envelope | None:
        """Implements AttachedSession.read_step: any step is passed on."""
        envelope = read_envelope(data)
        return envelope if envelope.kind in STEPS else None

    @property
    def is_open(self) -> bool:
        """Implements AttachedSession.is_open: also while it is being opened."""
        return not self._over_now

    @property
    def failures(self) -> int:
        """Implements AttachedSession.failures."""
        return self._failures

    def picture(self) -> asyncio.Future[Any] | None:
        """Implements AttachedSession.picture: between two requests of the client's."""
        if not self._visible or self._over_now or self._conversation is None:
            return None
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        render = Render(id=self.next)
        self._waiting.append(_Pending(Render, render.id, encode(render), _peek, future))
        self._next()
        return future

    def _carry_out(self, request: Request | Envelope, carry_out: CarryOut) -> Any:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if isinstance(request, Envelope):
            kind: Any = request.kind
            data: Any = request.data
        else:
            kind = type(request)
            data = request if isinstance(request, Open | OpenVector) else _encoded(request)
        self._waiting.append(_Pending(kind, request.id, data, carry_out, future))
        self._next()
        return future

    def _next(self) -> None:
        """Begin with the next request, unless one is being carried out."""
        if self._current is not None or not self._waiting:
            return
        self._current = pending = self._waiting.popleft()
        if self._over_now:
            self._finish_current(self._lost())
        elif isinstance(pending.data, OptionError):
            self._finish_current(pending.data)
        elif isinstance(pending.data, Open | OpenVector):
            self._opening = asyncio.get_running_loop().create_task(self._open(pending.data))
        elif self._conversation is None:
            self._finish_current(SessionLostError("The first request of a session is Open."))
        elif (first := self._made_ahead(pending)) is not None:
            self._deliver(first)
        else:
            limit = self._backend.limits.by_kind.get(pending.kind)
            if limit is not None:
                loop = asyncio.get_running_loop()
                self._timer = loop.call_later(limit, self._too_late, limit)
            step = pending.kind in STEPS
            if step and self._opened is not None:
                self._opened.link.count_step()
            alone = self._backend.is_alone(self) if step else False
            self._conversation.send(pending.data, awake=alone)

    async def _open(self, request: Open | OpenVector) -> None:
        try:
            admitted = self._backend.admit(request, as_json=self._as_json)
            assert self._thread is not None, "it ends with the session"
            opened, error = await self._thread.run(_attempt, self._backend.open, admitted)
            if error is not None:
                raise error
            self._opened, self._visible = opened, request.render_mode in VISIBLE
            self._conversation = converse(opened.link, self._replied)
        except OpenEnvGymError as error:
            self._end()
            self._finish_current(self._shown(error))
        except Exception as error:
            self._end()
            self._finish_current(unforeseen(error))
        else:
            self._deliver(opened.description)

    def _made_ahead(self, pending: _Pending) -> Reply | None:
        """Return the reply to a first reset without a seed, which was made ahead."""
        opened = self._opened
        if opened is None or opened.first is None:
            return None
        self._opened = opened._replace(first=None)
        if pending.kind is not Reset:
            return None
        request = decode(pending.data)
        plain = isinstance(request, Reset) and request.seed is None and not request.options
        return opened.first if plain else None

    def _deliver(self, reply: Reply) -> None:
        """Finish the request with a reply that this process has as an object."""
        if self._current is None:
            return
        reply.id = self._current.id
        self._finish_current(encode(reply) if self._current.carry_out is as_bytes else reply)

    def _replied(self, data: bytes | None) -> None:
        """Take a reply from the other end."""
        pending = self._current
        if data is None:
            self._end()
            if pending is not None:
                self._finish_current(self._lost())
            return
        if pending is None:
            return
        envelope = read_envelope(data)
        if envelope.id != pending.id and envelope.kind is not Failure:
            return
        if envelope.kind is Failure:
            failure = decode(data)
            error = failure.error() if isinstance(failure, Failure) else None
            self._finish_current(self._shown(error or self._lost()))
        elif pending.carry_out is as_bytes:
            self._finish_current(data)
        else:
            reply = decode(data)
            self._finish_current(reply if isinstance(reply, Reply) else self._lost())

    def _finish_current(self, outcome: bytes | Reply | OpenEnvGymError) -> None:
        pending, self._current = self._current, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if pending is None:
            return
        peek = pending.carry_out is _peek
        if isinstance(outcome, OpenEnvGymError) and not peek:
            self._meter.failed(outcome)
            self._failures += 1
        if pending.kind is Close:
            self._end()
        result: Any = outcome
        if pending.carry_out is as_bytes:
            if isinstance(outcome, OpenEnvGymError):
                result = refusal(outcome, pending.id)
        elif not isinstance(outcome, bytes):
            answered: Any = _Answered(outcome)
            result = pending.carry_out(answered, Request(id=pending.id), 0)
        deliver = None
        if not peek:  # it is the client's next reply that is due
            deliver, self.deliver = self.deliver, None
        if not pending.future.done():
            pending.future.set_result(result)
        if deliver is not None:
            deliver(result)
        self._next()

    def _shown(self, error: OpenEnvGymError) -> OpenEnvGymError:
        """Return the error as the client may see it."""
        kind = error.fields.get("error")  # of an exception that its code raised
        if self._backend.offer.reveal or kind is None:
            return error
        _log.error("the environment raised %s", error.fields.get("traceback") or error)
        known = ("error", "lane")
        fields = {name: value for name, value in error.fields.items() if name in known}
        which = "The environment" + (f" of lane {fields['lane']}" if "lane" in fields else "")
        return hidden_failure(which, kind, fields)

    def _lost(self) -> OpenEnvGymError:
        fate = self._opened.link.fate() if self._opened is not None else ""
        reason = self._reason or fate
        if not self._backend.offer.reveal:
            reason = self._reason or reason.partition("\n")[0]
        return SessionLostError(
            f"The session's process is gone, and the episode with it: make a new environment. "
            f"{reason}".rstrip(),
            reason=reason,
        )

    def _too_late(self, limit: float) -> None:
        pending = self._current
        if pending is None:
            return
        what = pending.kind.__name__.removesuffix("Vector").lower()
        self._reason = f"A {what} took longer than {limit:g} s, so what ran it was ended."
        error = StepTimeoutError if pending.kind in STEPS else ExchangeTimeoutError
        self._kill()
        self._finish_current(
            error(
                f"The {what} took longer than the server's limit of {limit:g} s (--{what}-timeout)"
                ": what ran it was ended, and the session with it. Make a new environment.",
                limit=limit,
            )
        )

    def _kill(self, *, spare_others: bool = False) -> None:
        """End what runs the session, which may take a moment, on its thread.

        Args:
            spare_others: Sessions that share it go on, if they can.
        """
        opened, thread = self._opened, self._thread
        self._end()
        if opened is not None and thread is not None:
            end = opened.link.give_up if spare_others else opened.link.kill
            thread.run(_quietly, end, self._reason)

    def _end(self) -> None:
        """Hang up: from now on there is no environment."""
        if self._over_now:
            return
        self._over_now = True
        if self._conversation is not None:
            self._conversation.end()
        if self._opened is not None and self._thread is not None and not self._reason:
            self._thread.run(_quietly, self._opened.link.close)

    def finish(self) -> None:
        """Implements AttachedSession.finish."""
        self._end()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.finish()

    async def close(self, limit: float) -> bool:
        """Implements AttachedSession.close: what does not close in time is killed."""
        if self._over_now:
            return True
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        close = Close(id=self.next)
        self._waiting.append(_Pending(Close, close.id, encode(close), as_bytes, future))
        self._next()
        await asyncio.wait({future}, timeout=limit)
        if not future.done():
            self._reason = "The session was to end, and its environment did not close in time."
            self._kill(spare_others=True)
            self._finish_current(self._lost())
        return True


def _encoded(request: Request) -> bytes | OptionError:
    """Return the bytes of a request of a client of JSON, which may have what cannot travel."""
    try:
        return encode(request)
    except CodecError as error:
        if isinstance(request, Step):  # refused in its turn, since no model takes null
            return encode(Step(None, id=request.id))
        return OptionError(str(error))


def _attempt(call: Callable[..., Any], *arguments: Any) -> tuple[Any, Exception | None]:
    """Return the result of a call, and what it raised."""
    try:
        return call(*arguments), None
    except Exception as error:
        return None, error


def _quietly(call: Callable[..., Any], *arguments: Any) -> None:
    """Make a call whose failure nobody waits for."""
    _, error = _attempt(call, *arguments)
    if error is not None:
        _log.warning("ending a session: %s", error)
