"""WireLink: a link whose messages travel as bytes, whatever carries them."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any

from openenv_gym.errors import (
    ExchangeTimeoutError,
    ProtocolError,
    SessionLostError,
    StepTimeoutError,
)
from openenv_gym.transport import Link, LinkSettings, expect
from openenv_gym.wire.codec import PLAIN, encode
from openenv_gym.wire.messages import (
    Description,
    Failure,
    JsonDescription,
    Open,
    OpenVector,
    Reply,
    Request,
    Result,
    Step,
    StepOutcome,
    StepVector,
)
from openenv_gym.wire.names import CLOSE_LIMIT
from openenv_gym.wire.time_limits import name_of


class WireLink(Link):
    """A link whose messages travel as bytes, with numbers by which a late reply is known for one.

    Args:
        timeout: Seconds that :meth:`exchange` waits for a reply; None waits forever.
        settings: What the user of the link decides about it.
    """

    def __init__(self, timeout: float | None, settings: LinkSettings) -> None:
        self.timeout = timeout
        self._stopwatch = settings.stopwatch
        self._decoders = PLAIN
        self._limits = settings.limits.by_kind
        self._close_limit = settings.limits.close or CLOSE_LIMIT
        self._kind: type[Request] = Open  # of the last request
        self._sent = 0
        self._turn = threading.Lock()
        self.forked = False
        _links.add(self)

    def exchange(self, request: Request) -> Reply:
        """Implements Link.exchange: one thread after the other."""
        turn = self._turn
        if not turn.acquire(False) and not turn.acquire(timeout=_wait(self.timeout)):
            raise ExchangeTimeoutError(
                f"Another thread's request to this environment was not answered within "
                f"{self.timeout} s, so this one was not sent.",
                timeout=self.timeout,
            )
        try:
            self.send(request)
            reply = self.receive(self._limits.get(type(request), self.timeout))
        finally:
            turn.release()
        if type(reply) is Failure:
            raise reply.error()
        return reply

    def leave_to_parent(self) -> None:
        """Refuse all from now on: this process is a fork, and the session is its parent's."""
        self.forked = True
        self._turn = threading.Lock()  # another thread of the parent may hold it

    def step(self, action: Any) -> StepOutcome:
        """Implements Link.step."""
        reply = self.exchange(Step(action))
        return reply.outcome if type(reply) is Result else expect(Result, reply).outcome

    def begin(self, request: Open | OpenVector, limit: float | None) -> None:
        """Open the session, within so many seconds."""
        usual, self.timeout = self.timeout, limit
        try:
            kind = JsonDescription if getattr(request, "as_json", False) else Description
            description = expect(kind, self.exchange(request))
        finally:
            self.timeout = usual
        modes = description.metadata.get("render_modes", [])
        if not isinstance(modes, list) or not all(isinstance(mode, str) for mode in modes):
            raise ProtocolError(f"The other end names {modes!r:.100} as its render modes.")
        self.description = description

    def _encode(self, request: Request) -> bytes:
        """Return the bytes of a request, which gets the next number."""
        if self.forked:
            raise SessionLostError(
                "This environment was made by the parent process, before os.fork(): both can't "
                "use one session. Make the environment in the process that uses it."
            )
        request.id = self._sent + 1
        stopwatch = self._stopwatch
        data = encode(request) if stopwatch is None else stopwatch.encode(request)
        self._sent += 1
        self._kind = type(request)
        return data

    def _decode(self, data: bytes | bytearray | memoryview) -> Reply | None:
        """Return the reply in the bytes, if it is the one to the last request.

        Raises:
            CodecError: They are not a message.
            ProtocolError: They are not a reply.
        """
        stopwatch, decoders = self._stopwatch, self._decoders
        reply = decoders.decode(data) if stopwatch is None else stopwatch.decode(data, decoders)
        if not isinstance(reply, Reply):
            raise ProtocolError(
                f"The other end sent a {type(reply).__name__}, which is not a reply."
            )
        if reply.id == self._sent:
            return reply
        if reply.id == 0 and type(reply) is Failure:
            self._sent -= 1  # the other end could not read the request, and has not counted it
            return reply
        return None  # it answers a request that was given up

    def _reply(
        self, read: Callable[[float | None], bytes | bytearray | memoryview], timeout: float | None
    ) -> Reply:
        """Return the reply to the last request; those to requests that were given up are skipped.

        Args:
            read: Returns the next message, for which it may wait so many seconds.
            timeout: Seconds in all; None waits forever.

        Raises:
            TimeoutError: Late replies alone came in time.
        """
        began = monotonic()
        reply = self._decode(read(timeout))
        while reply is None:
            left = None if timeout is None else began + timeout - monotonic()
            if left is not None and left <= 0:
                raise TimeoutError("timed out")
            reply = self._decode(read(left))
        return reply

    def _late(self, timeout: float | None) -> ExchangeTimeoutError:
        kind = StepTimeoutError if self._kind in (Step, StepVector) else ExchangeTimeoutError
        then = (
            "What runs the environment is ended, and reset() goes on with a fresh one"
            if self.renewable
            else "The environment may still be at it: reset() waits for it again, close() ends it"
        )
        name = name_of(self._kind)
        return kind(
            f"No reply within {timeout} s. {then}; {name}_timeout= sets the limit, or timeout= "
            "that of all.",
            timeout=timeout,
        )

    def _not_open(self) -> SessionLostError:
        return SessionLostError("The link is closed: make a new environment.")


def _wait(timeout: float | None) -> float:
    return -1 if timeout is None else timeout


_links: weakref.WeakSet[WireLink] = weakref.WeakSet()


def _after_fork() -> None:
    for link in list(_links):
        link.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
