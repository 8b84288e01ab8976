"""What the transports over the network share: the server, the session, and not giving up."""

from __future__ import annotations

import contextlib
import secrets
from abc import abstractmethod
from collections.abc import Mapping
from time import monotonic, sleep
from typing import Any, ClassVar, Generic, Protocol, TypeVar
from urllib.parse import urlsplit, urlunsplit

from msgspec.structs import replace

from openenv_gym.errors import (
    AuthenticationError,
    ConnectError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    OptionError,
    SessionLostError,
    StartError,
    TransportError,
)
from openenv_gym.spaces.describe import parse
from openenv_gym.transport import STEP_TIMEOUT, Transport
from openenv_gym.wire.messages import Close, Description, Open, OpenVector, Reply, Request
from openenv_gym_transports.links.child_process import Child, start_server
from openenv_gym_transports.links.numbered import NumberedTransport
from openenv_gym_transports.links.websocket_client import WebSocket
from openenv_gym_transports.openenv_servers.given import Given, Side

RETRIED = frozenset({502, 503, 504})
"""What a proxy answers while the server behind it restarts."""

CONNECT_LIMIT = 10.0
"""Seconds that one try to connect may take."""

_CLOSE_LIMIT = 5.0
_RETRY_LIMIT = 60.0  # seconds to go on connecting where a reply may take for ever
_LONGEST_PAUSE = 1.0
_SHOWN = 200  # characters of what answered that was no server of ours


class NotOursError(Exception):
    """What answers does not speak our protocol; maybe OpenEnv's own.

    Args:
        refusal: The error, if it does not speak that either.
        socket: A WebSocket to it.
    """

    def __init__(self, refusal: TransportError, socket: WebSocket | None = None) -> None:
        super().__init__(str(refusal))
        self.refusal = refusal
        self.socket = socket


class Connection(Protocol):
    """What carries the requests of a session, until it drops."""

    def send(self, data: bytes, /) -> None:
        """Sends a request."""

    def ready(self, timeout: float) -> bool:
        """Whether there is something to receive; waits for it as long as that."""
        ...

    def fileno(self) -> int:
        """Of its socket."""
        ...

    def close(self) -> None:
        """Hangs up."""


ConnectionT = TypeVar("ConnectionT", bound=Connection)


class NetworkTransport(NumberedTransport, Generic[ConnectionT]):
    """A session on a server at a URL, or on one that is started for it.

    A request that may not have arrived is sent again, with the same number and to the same session:
    the server carries it out once, and answers it as often as it is asked.

    Args:
        url: A server that runs already. Without it one is started, on a loopback port of its own,
            with a token of its own, and ended with :meth:`close`.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers that something on the way to the server wants.
        action_space: Description of the action space, for a server of OpenEnv's own make that does
            not tell enough of it (:mod:`openenv_gym_transports.openenv_servers`).
        observation_space: Likewise of the observation space. Spaces of single fields come with the
            request that opens the session.
    """

    # Each scheme that the transport takes, with the transport that takes the others.
    schemes: ClassVar[tuple[str, str]]
    other: ClassVar[str]
    path: ClassVar[str]

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        timeout: float | None = STEP_TIMEOUT,
        start_timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        action_space: dict[str, Any] | None = None,
        observation_space: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(timeout=timeout)
        if url is None and token is not None:
            raise OptionError("token= is that of the server at url=, which is not given.")
        if url is None and (action_space is not None or observation_space is not None):
            raise OptionError(
                "action_space= and observation_space= are for the server at url=, which is not "
                "given."
            )
        self._spaces = action_space, observation_space
        self._url = None if url is None else self._endpoint(url)
        self._start_timeout = start_timeout
        self._session = secrets.token_urlsafe(24)
        self._headers = {**(headers or {}), "X-Session-ID": self._session}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._child: Child | None = None
        self._stock: Transport | None = None
        self._connection: ConnectionT | None = None
        self._opened = False
        self._closing = False
        self._closed = False
        # Requests from the first that was not answered on. Usually that is the last one alone.
        self._unanswered: list[bytes] = []

    def open(self, request: Open | OpenVector) -> Description:
        """Starts or connects, and opens the session."""
        if self._url is None:
            self._start(request.environment)
        opened = self._open_ours(request)
        if isinstance(opened, NotOursError):
            opened = self._open_stock(opened, request)
            self._opened = True
        else:
            self._opened = True
            self._check_given(opened)
        return opened

    def _open_ours(self, request: Open | OpenVector) -> Description | NotOursError:
        """Opens the session over our protocol, if the server speaks it."""
        try:
            with self._limited(self._start_timeout):
                self._connect_first()
                return super().open(request)
        except NotOursError as found:
            return found  # not from in here: what may fail next has nothing to do with it
        except ExchangeTimeoutError as error:
            if self._child is None:
                raise
            raise self._not_started(self._child) from error

    def _check_given(self, description: Description) -> None:
        """Checks Spaces that the caller gives against those of a server of ours.

        It checks those of single fields itself.
        """
        given = Given(*self._spaces)
        sides: tuple[tuple[Side, Any], ...] = (
            ("action", description.action_space),
            ("observation", description.observation_space),
        )
        for side, told in sides:
            whole = given.whole(side)
            if whole is not None and whole != parse(told):
                raise OptionError(
                    f"{side}_space= is {whole!r:.200}; but the server at {self._url} is ours, and "
                    f"says that it is {parse(told)!r:.200}. Leave it out to take that.",
                    url=self._url,
                )

    def _given(self, request: Open | OpenVector) -> Given:
        """The Spaces that the caller gives."""
        return Given(*self._spaces, request.spaces)

    def _connect_first(self) -> None:
        """Connects, where the transport holds a connection.

        Raises:
            NotOursError: The server does not speak our protocol.
        """

    def _open_stock(self, found: NotOursError, request: Open | OpenVector) -> Description:
        """Opens the session over OpenEnv's own protocol."""
        carrier = self._stock = self._carrier(found, request)
        carrier.stopwatch = self.stopwatch
        # The carrier has the Spaces that are given, and checks that each is of use.
        description = carrier.open(replace(request, spaces=None))
        self._hand_over(carrier)
        return description

    @abstractmethod
    def _carrier(self, found: NotOursError, request: Open | OpenVector) -> Transport:
        """What carries the messages, if the server is of OpenEnv's own make.

        Raises:
            TransportError: It is not, or not of use.
        """

    @abstractmethod
    def _attempt(self, timeout: float | None) -> Reply:
        """Waits for the reply to the last request; repeats all unanswered ones if need be.

        Raises:
            TimeoutError: It did not come in time.
            OSError: The connection dropped.
        """

    def _hang_up(self) -> None:
        """Closes the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _numbered(self, request: Request) -> bytes:
        """As that of all; the request is kept until it is answered."""
        if self._closed or self._url is None:
            raise self._not_open()
        data = super()._numbered(request)
        self._unanswered.append(data)
        return data

    def _due(self, data: bytes | bytearray | memoryview) -> Reply | None:
        """As that of all; it answers the requests before too."""
        reply = super()._due(data)
        if reply is not None:
            self._unanswered.clear()
        return reply

    def send(self, request: Request) -> None:
        """Implements Transport.send."""
        data = self._numbered(request)
        if len(self._unanswered) > 1:
            # The one before was given up: its reply may still be on its way, or the connection
            # dead without a sign.
            self._hang_up()
        connection = self._connection
        if connection is None:
            return  # receive() connects, and sends what is not answered
        try:
            connection.send(data)
        except OSError:
            self._hang_up()
        except BaseException:
            self._hang_up()  # half a request may be on its way
            raise

    def ready(self, timeout: float) -> bool:
        """Implements Transport.ready; without a connection receive() has something to do."""
        return self._connection is None or self._connection.ready(timeout)

    def fileno(self) -> int | None:
        """Implements Transport.fileno."""
        return None if self._connection is None else self._connection.fileno()

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive, over as many connections as that takes."""
        started = failing = monotonic()
        left, pause = timeout, 0.0
        while True:
            tried = monotonic()
            try:
                return self._attempt(left)
            except TimeoutError as error:
                raise self._late(timeout) from error
            except OSError as error:
                self._hang_up()
                now = monotonic()
                if now - tried > CONNECT_LIMIT:
                    failing = now  # until now it was connected
                end = failing + _RETRY_LIMIT if timeout is None else started + timeout
                self._check_hope(error, end - now - pause, again=pause > 0)
            sleep(pause)
            pause = min(max(2 * pause, 0.01), _LONGEST_PAUSE)
            left = None if timeout is None else end - monotonic()

    def _check_hope(self, error: OSError, left: float, *, again: bool) -> None:
        """Raises, if there is no use in trying once more."""
        fate = self._gone()
        if fate is not None:
            kind = SessionLostError if self._opened else StartError
            raise kind(f"The environment's server is gone. {fate}", fate=fate) from error
        if left <= 0 or (again and self._closing):
            raise SessionLostError(
                f"The connection to {self._url} dropped ({error}), and could not be restored in "
                "time: make a new environment.",
                url=self._url,
            ) from error

    def _gone(self) -> str | None:
        """What became of the server, if it is ours and dead."""
        if self._child is None:
            return None
        fate = self._child.fate()
        return fate if self._child.dead() else None

    def _not_started(self, child: Child) -> StartError:
        lines = "\n".join(child.log)
        return StartError(
            f"The server's environment was not there within {self._start_timeout:g} s; "
            f"start_timeout= sets the limit.\n{lines}".rstrip(),
            limit=self._start_timeout,
        )

    def _unreachable(self, error: OSError) -> TransportError:
        """The error for a server that does not answer at all, on opening."""
        if self._child is not None and isinstance(error, TimeoutError):
            return self._not_started(self._child)
        if self._child is not None:
            fate = self._child.fate()
            return StartError(f"The environment's server did not start. {fate}", fate=fate)
        return ConnectError(
            f"No server answers at {self._url}: {error}. Is it running (openenv-gym serve NAME), "
            "and is the address right?",
            url=self._url,
        )

    def _refused(self, status: int, body: bytes) -> TransportError:
        """The error for an HTTP status that is none of ours."""
        text = body[:_SHOWN].decode(errors="replace").strip()
        fields = {"url": self._url, "status": status}
        if status == 401:
            problem = "is wrong" if "Authorization" in self._headers else "is missing"
            return AuthenticationError(
                f"The token of the server at {self._url} {problem}: give the one that it was "
                "started with as token=.",
                **fields,
            )
        return ConnectError(
            f"What answers at {self._url} is no openenv-gym server, or one that refuses: HTTP "
            f"{status} {text}".rstrip(),
            **fields,
        )

    def _endpoint(self, url: str) -> str:
        """The address of the face, from that of the server."""
        parts = urlsplit(url)
        if parts.scheme not in self.schemes or not parts.hostname:
            raise OptionError(
                f"The transport {self.name} takes {self.schemes[0]}://host:port, not {url!r}. "
                f"{self.other}",
                url=url,
            )
        if parts.username or parts.query or parts.fragment:
            raise OptionError(
                "url= is shown in errors and logs, so it has no credentials and no query: a token "
                "belongs into token=, anything else into headers=."
            )
        path = parts.path.rstrip("/").removesuffix(self.path) + self.path
        return urlunsplit((parts.scheme, parts.netloc, path, "", ""))

    def _start(self, environment: str | None) -> None:
        """Starts a server of our own."""
        if environment is None:
            raise OptionError("Without url= the environment must be named: there is none to ask.")
        self._child, port, token = start_server(environment, self.core)
        self._headers["Authorization"] = f"Bearer {token}"
        self._url = self._endpoint(f"{self.schemes[0]}://127.0.0.1:{port}")

    @property
    def space_sources(self) -> dict[str, str]:
        """Implements Transport.space_sources."""
        return {} if self._stock is None else self._stock.space_sources

    @property
    def isolation(self) -> dict[str, Any]:
        """A process of the same user, where it is ours; else whatever is at the URL."""
        if self._child is not None:
            return {"boundary": "process", "pid": self._child.pid}
        return {"boundary": "remote", "url": self._url}

    def close(self) -> None:
        """Ends the session, and the server where it is ours."""
        if self._closed:
            return
        if self._child is None and self._opened:
            # Whatever goes wrong here, the server ends the session by itself, if later.
            with contextlib.suppress(OpenEnvGymError):
                self._closing, self.timeout = True, _CLOSE_LIMIT
                self.exchange(Close())
        self._closed = True
        if self._stock is not None:
            self._stock.close()
        self._hang_up()
        if self._child is not None:
            self._child.stop(_CLOSE_LIMIT)
