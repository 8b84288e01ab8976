"""What the links over the network share: one session on a server, and not giving up."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import weakref
from abc import abstractmethod
from time import monotonic
from typing import Any, Generic, Protocol, TypeVar

from openenv_gym.errors import (
    ExchangeTimeoutError,
    OpenEnvGymError,
    ServerClosingError,
    SessionLostError,
    StartError,
)
from openenv_gym.transport import LinkSettings
from openenv_gym.wire.messages import Close, Failure, Open, OpenVector, Reply, Request
from openenv_gym_transports.links.backoff import Backoff
from openenv_gym_transports.links.server import (
    CONNECT_LIMIT,
    Server,
    ServerEndedError,
)
from openenv_gym_transports.links.wire_link import WireLink

_RETRY_LIMIT = 60.0  # seconds to go on connecting where a reply may take forever
_LONGEST_PAUSE = 1.0

SILENCE = 10.0
"""Seconds without a reply after which a connection may be dead without a sign, and is replaced."""

_TRIES = 3  # of such connections, at least, within the time limit of a reply

_GOODBYE_LIMIT = 1.0  # seconds that a server may take to end the session of a program that ends


_log = logging.getLogger(__name__)


class Connection(Protocol):
    """What carries the requests of a session, until it drops."""

    def send(self, data: bytes, /) -> None:
        """Send a request."""

    def ready(self, timeout: float) -> bool:
        """Return whether there is something to receive; waits for it as long as that."""
        ...

    def fileno(self) -> int | None:
        """Return the socket's file descriptor; None where only :meth:`ready` knows."""
        ...

    def close(self) -> None:
        """Hang up."""


ConnectionT = TypeVar("ConnectionT", bound=Connection)


class NetworkLink(WireLink, Generic[ConnectionT]):
    """A session on a server, over as many connections as that takes.

    A request that may not have arrived is sent again, with the same number and to the same session:
    the server carries it out once, and answers it as often as it is asked.

    Args:
        server: Has the session; ended with the link, where it was started for it.
        timeout: Seconds to wait for a reply; None waits forever.
        settings: What the user of the link decides about it.
        connection: A connection to begin with.
    """

    def __init__(
        self,
        server: Server,
        *,
        timeout: float | None,
        settings: LinkSettings,
        connection: ConnectionT | None = None,
    ) -> None:
        super().__init__(timeout, settings)
        self._server = server
        self._busy_wait = settings.busy_wait
        self._connection = connection
        self._opened = False
        self._closing = False
        self._drop_reported = False
        self._closed = False
        self._lost: OpenEnvGymError | None = None  # what all further requests meet
        self._process = os.getpid()
        # Requests from the first that was not answered on. Usually that is the last one alone.
        self._unanswered: list[bytes] = []

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements Link.isolation."""
        return self._server.isolation

    def begin(self, request: Open | OpenVector, limit: float | None) -> None:
        """Open the session, within so many seconds."""
        try:
            super().begin(request, limit)
        except ExchangeTimeoutError as error:
            if self._server.owned is None:
                raise
            raise self._server.not_started(self._server.owned) from error
        self._opened = True
        _open_links.add(self)

    @abstractmethod
    def _attempt(self, timeout: float | None) -> Reply:
        """Wait for the reply to the last request; repeats all unanswered ones if need be.

        Raises:
            TimeoutError: It did not come in time.
            OSError: The connection dropped.
        """

    def _hang_up(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _end_connection(self) -> None:
        """Close the connection, for good."""
        self._hang_up()

    def _decode(self, data: bytes | bytearray | memoryview) -> Reply | None:
        """Like the base method; the reply answers the requests before too."""
        reply = super()._decode(data)
        if reply is not None:
            self._unanswered.clear()
            if self._drop_reported:
                self._drop_reported = False
                _log.warning("The connection to %s is restored.", self._server.url)
            if type(reply) is Failure and isinstance(lost := reply.error(), SessionLostError):
                self._lost = lost
        return reply

    def send(self, request: Request) -> None:
        """Implements Link.send; the request is kept until it is answered."""
        if self._lost is not None:
            raise self._lost
        data = self._encode(request)
        unanswered = self._unanswered
        unanswered.append(data)
        if len(unanswered) > 1:
            # The one before was given up: its reply may still be on its way, or the connection
            # dead without a sign.
            self._hang_up()
        connection = self._connection
        if connection is None:
            return  # receive() connects, and sends what is not answered
        try:
            connection.send(data)
        except OSError as error:
            self._hang_up()
            self._report_drop(error)
        except BaseException:
            self._hang_up()  # half a request may be on its way
            raise

    def ready(self, timeout: float) -> bool:
        """Implements Link.ready; without a connection receive() has something to do."""
        return self._connection is None or self._connection.ready(timeout)

    def fileno(self) -> int | None:
        """Implements Link.fileno."""
        return None if self._connection is None else self._connection.fileno()

    def receive(self, timeout: float | None) -> Reply:
        """Implements Link.receive, over as many connections as that takes."""
        started = failing = tried = monotonic()
        left, backoff = timeout, None
        silence = self._silence(timeout)
        while True:
            last = silence is None or (left is not None and left <= silence)
            try:
                return self._attempt(left if last else silence)
            except TimeoutError as error:
                if last or silence is None:
                    raise self._late(timeout) from error
                self._hang_up()  # the server has the reply, or is still at it
                silence *= 2
            except OSError as error:
                self._hang_up()
                backoff = backoff or Backoff(_LONGEST_PAUSE, at_once=True)
                now = monotonic()
                if now - tried > CONNECT_LIMIT:
                    failing = now  # until now it was connected
                end = failing + _RETRY_LIMIT if timeout is None else started + timeout
                self._check_hope(error, end - now - backoff.pause, again=backoff.pause > 0)
                self._report_drop(error)
                backoff.wait()
            tried = monotonic()
            left = None if timeout is None else started + timeout - tried

    def _report_drop(self, error: OSError) -> None:
        """Log that the connection dropped: at once, and once until it is restored."""
        if self._opened and not self._closing and not self._drop_reported:
            self._drop_reported = True
            _log.warning(
                "The connection to %s dropped (%s); connecting again.", self._server.url, error
            )

    def _silence(self, timeout: float | None) -> float | None:
        """Return how long to wait before a connection that is silent is replaced.

        None for that of a server which was started here: it cannot be lost without a sign.
        """
        if self._server.owned is not None:
            return None
        return SILENCE if timeout is None else min(SILENCE, timeout / _TRIES)

    def _check_hope(self, error: OSError, left: float, *, again: bool) -> None:
        """Raise, if there is no use in trying once more."""
        if isinstance(error, ServerEndedError):
            self._lost = ServerClosingError(
                f"The server at {self._server.url} has ended, and the session with it: make a "
                "new environment.",
                url=self._server.url,
            )
            raise self._lost from error
        fate = self._server.gone()
        if fate is not None:
            kind = SessionLostError if self._opened else StartError
            raise kind(f"The environment's server is gone. {fate}", fate=fate) from error
        if left <= 0 or (again and self._closing):
            url = self._server.url
            raise SessionLostError(
                f"The connection to {url} dropped ({error}), and could not be restored in "
                "time: make a new environment.",
                url=url,
            ) from error

    @property
    def renewable(self) -> bool:
        """Implements Link.renewable."""
        return self._server.owned is not None

    def kill(self, reason: str) -> None:
        """Implements Link.kill."""
        self._closed = True
        self._end_connection()
        if self._server.owned is not None:
            self._server.owned.kill()

    def close(self) -> None:
        """Implements Link.close."""
        if self._closed or self.forked:
            return
        if self._server.owned is None and self._opened:
            # Whatever goes wrong here, the server ends the session by itself, if later.
            with contextlib.suppress(OpenEnvGymError):
                self._closing, self.timeout = True, self._close_limit
                if self._unanswered:  # nobody waits for it any more, and it may never end
                    self._unanswered.clear()
                    self._hang_up()
                self.exchange(Close())
        self._closed, self._lost = True, self._not_open()
        self._end_connection()
        self._server.stop(self._close_limit)
        _open_links.discard(self)

    def leave(self) -> None:
        """Say goodbye for a program that ends, or has dropped the environment, without close().

        A server that was started for the link ends by itself.
        """
        connection = self._connection
        # A process that was forked from the one that opened the link has only a copy of it.
        if self._closed or connection is None or self._process != os.getpid():
            return
        self._closed = True
        with contextlib.suppress(OSError, OpenEnvGymError):
            if self._server.owned is None and self._opened and self._lost is None:
                connection.send(self._encode(Close()))
                connection.ready(_GOODBYE_LIMIT)
        self._end_connection()

    def __del__(self) -> None:
        if getattr(self, "_opened", False):
            self.leave()


_open_links: weakref.WeakSet[NetworkLink[Any]] = weakref.WeakSet()


@atexit.register
def _leave_all() -> None:
    for link in list(_open_links):
        link.leave()
