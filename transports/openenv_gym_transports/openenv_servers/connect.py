"""Which of OpenEnv's own servers it is that answers, and how to speak with that one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from websockets.exceptions import InvalidHandshake

from openenv_gym.errors import (
    ConnectError,
    EnvironmentFailedError,
    OptionError,
    ProtocolError,
    ServerFullError,
    SessionLostError,
    StockServerWarning,
    TransportError,
)
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym_transports.links.reconnecting import NotOursError
from openenv_gym_transports.links.websocket_client import WebSocket
from openenv_gym_transports.openenv_servers.count import StepCount
from openenv_gym_transports.openenv_servers.dialogue import Dialogue
from openenv_gym_transports.openenv_servers.given import Given
from openenv_gym_transports.openenv_servers.legacy import LegacyDialogue
from openenv_gym_transports.openenv_servers.server import Schemas, StockServer
from openenv_gym_transports.openenv_servers.transport import StockTransport

_FACTS_LIMIT = 10.0
_SESSION_HEADER = "X-Session-ID"  # ours, of no meaning there


def over_websocket(
    url: str,
    headers: Mapping[str, str],
    given: Given,
    *,
    timeout: float | None,
    start_timeout: float,
    resumable: bool,
    found: NotOursError,
    gone: Callable[[], str | None],
) -> StockTransport:
    """What carries the messages to a server that selected no subprotocol of ours.

    Args:
        url: Of its WebSocket.
        headers: Of all requests.
        given: Spaces that the caller gives.
        timeout: Seconds to wait for a reply.
        start_timeout: Seconds that making an environment may take.
        resumable: Make sessions that outlive their WebSockets.
        found: What was found there.
        gone: Tells what became of the server, if that is known to be gone.

    Raises:
        ConnectError: It is a legacy server, or none.
    """
    headers = _without_session(headers)
    server = StockServer(_base(url, "/ws"), headers, proxies=False)
    if found.socket is None:
        raise _no_websocket(server, found)
    try:
        schemas, label = server.schemas(_FACTS_LIMIT), server.name(_FACTS_LIMIT)
    except OSError as error:
        raise found.refusal from error
    if schemas.action is None:
        raise found.refusal  # whatever it is, it is none of OpenEnv's
    _warn(
        f"The server at {server.url} does not know openenv-gym: OpenEnv's own protocol is spoken. "
        "It does not tell whether its environment heeds seeds, or marks truncated episodes."
    )
    sessions = _Sessions(
        server, url, headers, timeout, start_timeout, resumable, found.socket, gone
    )
    return StockTransport(server, schemas, sessions.begin, given, timeout=timeout, label=label)


def _no_websocket(server: StockServer, found: NotOursError) -> TransportError:
    """The error for a server that has no WebSocket; legacy ones have none."""
    try:
        if server.release(_FACTS_LIMIT) != "legacy":
            return found.refusal
    except OSError:
        return found.refusal
    return ConnectError(
        f"The server at {server.url} is of openenv-core 0.1, which has no WebSocket: take "
        f'transport="http", url="{server.url}".',
        url=server.url,
    )


@dataclass
class _Sessions:
    """Begins sessions over WebSockets; the arguments are those of :func:`over_websocket`."""

    server: StockServer
    url: str
    headers: Mapping[str, str]
    timeout: float | None
    start_timeout: float
    resumable: bool
    # What the server was found by. If sessions are to be resumable it names one that is none: a
    # server that minds that attaches sessions, and one that does not has made one.
    found: WebSocket | None
    gone: Callable[[], str | None]
    begun: int = 0

    def begin(self, counts: bool) -> Dialogue:
        """Begins a session.

        Args:
            counts: Its environment is known to count its steps.
        """
        try:
            return self._begin(counts)
        except ServerFullError as error:
            # Those of the lanes before are free again, as all lanes are closed now.
            error.fields["free"] = self.begun
            raise

    def _begin(self, counts: bool) -> Dialogue:
        socket, self.found = self.found, None
        if socket is not None:
            try:
                dialogue = self._begun(counts, None, socket)
            except EnvironmentFailedError as error:
                if not (self.resumable and error.fields.get("code") == "SESSION_ERROR"):
                    raise
            else:
                self.resumable = False
                return dialogue
        try:
            session = self.server.create_session(self.start_timeout) if self.resumable else None
            if session is None:
                socket = WebSocket(
                    self.url, subprotocol=None, headers=self.headers, limit=self.start_timeout
                )
        except (OSError, InvalidHandshake) as error:
            raise ConnectError(
                f"The server at {self.server.url} gave no session: {error}.", url=self.url
            ) from error
        return self._begun(counts, session, None if session else socket)

    def _begun(self, counts: bool, session: str | None, socket: WebSocket | None) -> Dialogue:
        dialogue = Dialogue(
            self.server,
            self.url,
            self.headers,
            session=session,
            socket=socket,
            timeout=self.timeout,
            count=StepCount(trusted=counts),
            gone=self.gone,
        )
        try:
            dialogue.begin(self.start_timeout)
        except SessionLostError as error:
            dialogue.close()
            raise ConnectError(
                f"The server at {self.server.url} gave a session and does not know it: {error} Has "
                "it several worker processes? Serve with one, or give the transport option "
                "resumable=False.",
                url=self.url,
            ) from error
        except BaseException:
            dialogue.close()
            raise
        self.begun += 1
        return dialogue


def over_http(
    url: str,
    headers: Mapping[str, str],
    given: Given,
    *,
    timeout: float | None,
    start_timeout: float,
    request: Open | OpenVector,
    found: NotOursError,
) -> StockTransport:
    """What carries the messages to a server that knows no route of ours.

    Args:
        url: Of our route.
        headers: Of all requests.
        given: Spaces that the caller gives.
        timeout: Seconds to wait for a reply.
        start_timeout: Seconds that the first answer may take.
        request: What opens the session.
        found: What was found there.

    Raises:
        ProtocolError: It holds no episode over HTTP.
        OptionError: It has one environment, and several are wanted.
        ConnectError: It is none of OpenEnv's.
    """
    server = StockServer(_base(url, "/exchange"), _without_session(headers), proxies=True)
    try:
        release = server.release(min(_FACTS_LIMIT, start_timeout))
    except OSError as error:
        raise found.refusal from error
    if release is None:
        raise found.refusal
    if release == "current":
        parts = urlsplit(server.url)
        address = urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws"))
        raise ProtocolError(
            f"The server at {server.url} is OpenEnv's own, which makes a new environment for each "
            "request over HTTP and so holds no episode. Take its WebSocket: "
            f'transport="websocket", url="{address}".',
            url=server.url,
        )
    lanes = len(request.options) if isinstance(request, OpenVector) else 1
    if lanes > 1:
        raise OptionError(
            f"The legacy server at {server.url} has one environment, which {lanes} lanes cannot "
            "share. Take num_envs=1, or a server of openenv 0.2 or later.",
            url=server.url,
        )
    _warn(
        f"The server at {server.url} is of openenv-core 0.1: it has one environment, which all of "
        "its clients share, so let no one else use it meanwhile. Its resets take no seeds."
    )
    return StockTransport(
        server,
        Schemas(),
        lambda counts: LegacyDialogue(server, timeout=timeout),
        given,
        timeout=timeout,
        label=server.url,
    )


def _without_session(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != _SESSION_HEADER}


def _base(url: str, path: str) -> str:
    """What is before the routes, as HTTP knows it."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.removesuffix(path), "", ""))


def _warn(text: str) -> None:
    warnings.warn(text, StockServerWarning, stacklevel=2)
