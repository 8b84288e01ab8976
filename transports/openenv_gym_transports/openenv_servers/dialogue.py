"""One environment on OpenEnv's own server, over a WebSocket: no step is lost, none runs twice.

The protocol does not number messages: replies come in the order of the requests. Where a session
outlives its connection, each reset and step is sent together with a request for ``state``, whose
reply stays in the socket until the next request. When a connection drops during a step, the session
is attached again, and the environment's count of steps
(:mod:`~openenv_gym_transports.openenv_servers.count`) shows whether the step was carried out. A
server attaches a session again only when the old connection is completely gone.
"""

from __future__ import annotations

import contextlib
import json
import os
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, NamedTuple
from urllib.parse import quote

from websockets.exceptions import InvalidHandshake

from openenv_gym.errors import (
    EnvironmentFailedError,
    ExchangeTimeoutError,
    OptionError,
    ProtocolError,
    SessionLostError,
    TransportError,
)
from openenv_gym.sessions.payload import Payload
from openenv_gym.wire.names import CLOSE_LIMIT
from openenv_gym_transports.links.backoff import Backoff
from openenv_gym_transports.links.server import Server
from openenv_gym_transports.links.websocket_client import WebSocket
from openenv_gym_transports.links.websocket_link import open_websocket
from openenv_gym_transports.openenv_servers.count import StepCount
from openenv_gym_transports.openenv_servers.failures import failed, full, not_made, step_lost
from openenv_gym_transports.openenv_servers.server import OpenEnvServer

_CONNECT_LIMIT = 10.0  # seconds for one try to connect
_RETRY_LIMIT = 60.0  # seconds of tries to connect where a reply may take forever
_LONGEST_PAUSE = 0.5
_A_MOMENT = 0.001

Take = Callable[[Payload | None], None]
"""Function that takes a reply; None stands for a reply with an error."""


def _drop(reply: Payload | None) -> None:
    """Ignore a reply."""


class _Due(NamedTuple):
    """A reply that will arrive.

    Attributes:
        kind: Expected kind of the reply, unless it is an error.
        take: Function that takes the reply.
    """

    kind: str
    take: Take


class _Refused(Exception):  # noqa: N818  # an error that the server reported
    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message")))
        self.error = error
        self.code = str(error.get("code"))


class Dialogue:
    """A session of one environment.

    Args:
        routes: The server's routes.
        server: The server, by the address of its WebSocket.
        session: Id of a session that outlives its WebSocket; None where the server has none.
        socket: The first WebSocket. Without a session it is the only one.
        timeout: Seconds to wait for a reply; None waits forever.
        count: The environment's count of steps.
    """

    def __init__(
        self,
        routes: OpenEnvServer,
        server: Server,
        *,
        session: str | None,
        socket: WebSocket | None,
        timeout: float | None,
        count: StepCount,
    ) -> None:
        self._server = server
        self._url = server.url
        self._session = session
        self._socket = socket
        self._timeout = timeout
        self._count = count
        self._due: deque[_Due] = deque()
        self._finalizer: weakref.finalize[..., Dialogue] | None = None
        if session is not None:
            # Such a session stays until it is closed, possibly forever.
            self._finalizer = weakref.finalize(self, _end, routes, session, os.getpid())

    def begin(self, limit: float) -> None:
        """Check that the session exists.

        Raises:
            ServerFullError: All sessions of the server are taken.
            EnvironmentFailedError: The environment could not be made.
            TransportError: The server does not answer.
        """
        deadline = monotonic() + limit
        try:
            if self._socket is None:
                self._resume(deadline)
            else:
                self._greet(deadline)
        except _Refused as refused:
            if refused.code in ("CAPACITY_REACHED", "FACTORY_ERROR", "SESSION_ERROR"):
                raise self._error_of(refused, "make the environment") from refused
        except TimeoutError as error:
            raise self._late(limit) from error
        except OSError as error:
            raise self._lost(str(error)) from error

    def reset(self, data: Payload) -> Payload:
        """Begin an episode. After a drop it is begun again, which does no harm.

        Args:
            data: Keywords of the environment's reset.
        """
        deadline = self._deadline()

        def attempt() -> Payload:
            self._send("reset", data=data)
            self._send_count(self._count.begin)
            return self._receive(deadline)

        return self._insist(attempt, deadline, "reset")

    def state(self) -> Payload:
        """The environment's state."""
        deadline = self._deadline()

        def attempt() -> Payload:
            self._send("state")
            return self._receive(deadline)

        return self._insist(attempt, deadline, "return its state")

    def rpc(self, method: str, params: dict[str, Any]) -> Payload:
        """Return the result of a method of MCP, which is called again after a drop.

        Raises:
            EnvironmentFailedError: The server reported an error, or does not know the method.
        """
        deadline = self._deadline()
        call = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}

        def attempt() -> Payload:
            self._send("mcp", data=call)
            return self._receive(deadline)

        reply = self._insist(attempt, deadline, method)
        result = reply.get("result")
        if not isinstance(result, dict):
            raise failed(self._url, method, reply.get("error") or {})
        return result

    def step(self, action: Payload) -> Payload:
        """Carry out one action, once.

        Raises:
            StepLostError: The step ran, or may have run, and its result is lost.
            SessionLostError: The session is gone.
            ExchangeTimeoutError: There was no reply within the limit.
            EnvironmentFailedError: The server reported an error.
        """
        deadline = self._deadline()

        def attempt() -> Payload:
            while True:
                try:
                    self._send("step", data=action)
                    self._send_count(self._count.follow)
                    return self._receive(deadline)
                except TimeoutError:
                    raise
                except OSError as error:
                    self._hang_up()
                    executed = self._count.executed(self._resume(deadline))
                    if executed is not False:
                        raise step_lost(self._url, executed) from error
                # The step did not arrive, and the session is attached again: repeat it.

        return self._insist(attempt, deadline, "step")

    def _send_count(self, take: Callable[[Payload | None], None]) -> None:
        """Request the count of steps, where it is useful after a drop."""
        if self._session is not None:
            self._send("state", take)

    def _insist(self, attempt: Callable[[], Payload], deadline: float, what: str) -> Payload:
        """Make attempts over new connections until one succeeds."""
        while True:
            try:
                self._settle(deadline)
                return attempt()
            except _Refused as refused:
                raise self._error_of(refused, what) from refused
            except TimeoutError as error:
                if self._session is not None:
                    self._hang_up()  # the connection may be dead; the session is not
                raise self._late(self._timeout) from error
            except OSError as error:
                self._hang_up()
                if monotonic() >= deadline:
                    raise self._lost(str(error)) from error

    def _settle(self, deadline: float) -> None:
        """Receive the replies that are still due, so that the next reply answers the next request.

        Raises:
            TimeoutError: A request that was given up is still running.
        """
        try:
            while self._due:
                with contextlib.suppress(_Refused):
                    self._receive(deadline)
            if self._connected.ready(0.0):
                # Pings or a closing frame: a server hangs up if pings stay unanswered too long.
                with contextlib.suppress(TimeoutError):
                    self._connected.receive(_A_MOMENT)
        except TimeoutError:
            raise
        except OSError:
            self._hang_up()
            self._count.begin(self._resume(deadline))

    @property
    def _connected(self) -> WebSocket:
        if self._socket is None:
            raise ConnectionResetError("it hung up")
        return self._socket

    def _send(self, kind: str, take: Take = _drop, data: Payload | None = None) -> None:
        """Send a request, after which its reply is due."""
        message = {"type": kind} if data is None else {"type": kind, "data": data}
        try:
            frame = json.dumps(message, default=_plain).encode()
        except (TypeError, ValueError) as error:
            raise OptionError(f"JSON cannot hold the data of this {kind}: {error}.") from error
        socket = self._connected
        self._due.append(_Due(kind if kind in ("state", "mcp") else "observation", take))
        socket.send(frame, text=True)

    def _receive(self, deadline: float) -> Payload:
        """Receive the next reply that is due."""
        left = None if deadline == float("inf") else deadline - monotonic()
        if left is not None and left <= 0:
            raise TimeoutError("timed out")
        received = self._connected.receive(left)
        due = self._due.popleft()
        kind, data = _frame(received, self._url)
        if kind == "error":
            due.take(None)
            raise _Refused(data)
        if kind != due.kind:
            self._hang_up()
            raise ProtocolError(
                f"The server at {self._url} does not speak OpenEnv's protocol: it answered with "
                f"{kind!r} where {due.kind!r} was expected.",
                url=self._url,
            )
        due.take(data)
        return data

    def _resume(self, deadline: float) -> Payload | None:
        """Attach the session again.

        Returns:
            The environment's state; None where it has none.

        Raises:
            SessionLostError: The session is gone, or the server does not answer in time.
            TimeoutError: The server is still busy with requests of the old connection.
        """
        if self._session is None:
            raise SessionLostError(
                f"The connection to {self._url} dropped, and the episode is gone with it: only "
                "servers of openenv 0.5 or later keep a session for a client that connects again "
                "(resumable=True). Make a new environment.",
                url=self._url,
            )
        end = min(deadline, monotonic() + _RETRY_LIMIT)
        backoff = Backoff(_LONGEST_PAUSE)
        while True:
            try:
                return self._attach(end)
            except _Refused as refused:
                busy, reason = True, str(refused)
                if "Unknown session" in reason:
                    raise self._lost(reason) from refused
            except (OSError, InvalidHandshake) as error:
                busy, reason = False, str(error)
                fate = self._server.gone()
                if fate is not None:
                    raise self._lost(fate) from error
            self._hang_up()
            if monotonic() + backoff.pause >= end:
                if busy:  # with requests of the old connection
                    raise TimeoutError(reason)
                raise self._lost(reason)
            backoff.wait()

    def _attach(self, deadline: float) -> Payload | None:
        limit = min(_CONNECT_LIMIT, max(deadline - monotonic(), _A_MOMENT))
        address = f"{self._url}?session_id={quote(self._session or '')}"
        self._socket = open_websocket(self._server, address, limit)
        try:
            return self._greet(deadline)
        except _Refused as refused:
            if refused.code != "EXECUTION_ERROR":
                raise
            return None  # the session exists, but its environment has no state

    def _greet(self, deadline: float) -> Payload:
        """Request the state over a new connection."""
        # A server that refuses sends an error by itself and hangs up: then nothing can be sent.
        with contextlib.suppress(OSError):
            self._send("state")
        return self._receive(deadline)

    def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        self._due.clear()
        if socket is not None:
            socket.close()

    def _deadline(self) -> float:
        return float("inf") if self._timeout is None else monotonic() + self._timeout

    def _late(self, limit: float | None) -> ExchangeTimeoutError:
        return ExchangeTimeoutError(
            f"No reply within {limit} s. The environment may still be running the request: reset() "
            "waits for it again, close() ends it; timeout= sets the limit.",
            timeout=limit,
        )

    def _lost(self, reason: str) -> SessionLostError:
        return SessionLostError(
            f"The session on the server at {self._url} is lost ({reason}), and the episode with "
            "it: make a new environment.",
            url=self._url,
        )

    def _error_of(self, refused: _Refused, what: str) -> EnvironmentFailedError | TransportError:
        """Return the error that the server reported."""
        if refused.code == "CAPACITY_REACHED":
            return full(self._url, refused.error)
        if refused.code == "FACTORY_ERROR":
            return not_made(self._url, refused.error)
        if refused.code == "SESSION_ERROR":
            self._hang_up()  # the server does the same
        return failed(self._url, what, refused.error)

    def close(self) -> None:
        """End the session; a second call does nothing."""
        if self._session is None and self._socket is not None:
            with contextlib.suppress(OSError):
                self._send("close")
        self._hang_up()
        if self._finalizer is not None:
            self._finalizer()


def _end(server: OpenEnvServer, session: str, owner: int) -> None:
    """End a session; a fork of its owner leaves it alone."""
    if os.getpid() == owner:
        server.close_session(session, CLOSE_LIMIT)


def _frame(data: bytes | bytearray | memoryview, url: str) -> tuple[Any, Payload]:
    """Return the kind of a reply and its data.

    Raises:
        ProtocolError: The message is not a reply.
    """
    try:
        frame = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The server at {url} sent invalid JSON: {error}.", url=url) from error
    if not isinstance(frame, dict) or not isinstance(frame.get("data"), dict):
        raise ProtocolError(
            f"The server at {url} does not speak OpenEnv's protocol: it sent {str(frame)[:200]}.",
            url=url,
        )
    return frame.get("type"), frame["data"]


def _plain(value: Any) -> Any:
    """Return a number or an array of numpy as a value of JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
