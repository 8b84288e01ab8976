"""In process: the session is called directly. No bytes, no copies, no thread."""

from __future__ import annotations

from time import perf_counter_ns

from openenv_gym.sessions.session import Session
from openenv_gym.transport import STEP_TIMEOUT, Transport
from openenv_gym.wire.messages import Description, Open, OpenVector, Reply, Request
from openenv_gym.wire.timing import Timing


class InProcessTransport(Transport):
    """Runs the environment on the caller's thread.

    Nothing is between it and this process: use another transport for code that is not trusted.

    Args:
        timeout: Taken for the sake of the other transports; a call cannot be timed out.
    """

    name = "inprocess"
    near = True

    def __init__(self, *, timeout: float | None = STEP_TIMEOUT) -> None:
        super().__init__(timeout=timeout)
        self._reply: Reply | None = None
        self._use(Session())

    def _use(self, session: Session) -> None:
        self._session = session
        # The whole of an exchange: what fails is raised where it happened, with its cause.
        self.exchange = self._session.handle  # type: ignore[method-assign]
        self.step = self._session.step  # type: ignore[method-assign]

    def open(self, request: Open | OpenVector) -> Description:
        """Makes the environment; from here on exchanges are timed, if they are to be."""
        if self.stopwatch is not None:
            self.exchange = self._timed  # type: ignore[method-assign]
            self.step = super().step  # type: ignore[method-assign]
        return super().open(request)

    def _timed(self, request: Request) -> Reply:
        assert self.stopwatch is not None, "open() looked"
        begun = perf_counter_ns()
        reply = self._session.handle(request)
        self.stopwatch.last = Timing(0, 0, 0, perf_counter_ns() - begun, 0)
        return reply

    def send(self, request: Request) -> None:
        """Carries the request out."""
        self._reply = self._session.handle(request)

    def receive(self, timeout: float | None) -> Reply:
        """The reply to the request that was carried out."""
        reply, self._reply = self._reply, None
        assert reply is not None, "receive() without send()"
        return reply

    def close(self) -> None:
        """Closes the environment."""
        self._session.close()
