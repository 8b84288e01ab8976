"""Which of OpenEnv's own servers it is that answers, and how to speak with that one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from msgspec import structs
from websockets.exceptions import InvalidHandshake

from openenv_gym.errors import (
    ConnectError,
    EnvironmentFailedError,
    OptionError,
    ServerFullError,
    SessionLostError,
    StockServerWarning,
    TransportError,
)
from openenv_gym.sessions.payload import Conversation
from openenv_gym.transport import Link, LinkSettings
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym_transports.links.server import SESSION_HEADER, Server
from openenv_gym_transports.links.websocket_client import WebSocket
from openenv_gym_transports.openenv_servers.count import StepCount
from openenv_gym_transports.openenv_servers.dialogue import Dialogue
from openenv_gym_transports.openenv_servers.given import Given
from openenv_gym_transports.openenv_servers.legacy import LegacyDialogue
from openenv_gym_transports.openenv_servers.link import OpenEnvServerLink
from openenv_gym_transports.openenv_servers.server import Schemas, StockServer

_FACTS_LIMIT = 10.0


def over_websocket(
    server: Server,
    request: Open | OpenVector,
    settings: LinkSettings,
    *,
    socket: WebSocket,
    refusal: TransportError,
    timeout: float | None,
    resumable: bool,
) -> Link:
    """Open a session on a server that selected no subprotocol of ours.

    Args:
        server: The server, by the address of its WebSocket.
        request: Opens the session.
        settings: What the user of the link decides about it.
        socket: The WebSocket by which it was found; the caller closes it if this fails.
        refusal: The error, if it does not speak OpenEnv's protocol either.
        timeout: Seconds to wait for a reply.
        resumable: Make sessions that outlive their WebSockets.

    Raises:
        TransportError: It does not, or it is not of use.
    """
    given = _spaces_given(request)
    headers = _without_session(server.headers)
    routes = StockServer(_base(server.url, "/ws"), headers, proxies=False)
    try:
        schemas, label = routes.schemas(_FACTS_LIMIT), routes.name(_FACTS_LIMIT)
    except OSError as error:
        raise refusal from error
    if schemas.action is None:
        raise refusal  # whatever it is, it is none of OpenEnv's
    _warn(
        f"The server at {routes.url} does not know openenv-gym: OpenEnv's own protocol is spoken. "
        "It does not tell whether its environment heeds seeds, or marks truncated episodes."
    )
    sessions = _Sessions(
        routes,
        server.url,
        headers,
        timeout,
        server.start_timeout,
        resumable,
        socket,
        server.gone,
    )
    return _opened(
        OpenEnvServerLink(
            server,
            routes,
            schemas,
            sessions.begin,
            given,
            stopwatch=settings.stopwatch,
            label=label,
        ),
        request,
    )


def without_websocket(server: Server, refusal: TransportError) -> TransportError:
    """Return the error for a server that has no WebSocket; legacy ones have none."""
    routes = StockServer(_base(server.url, "/ws"), _without_session(server.headers), proxies=False)
    try:
        if routes.release(_FACTS_LIMIT) != "legacy":
            return refusal
    except OSError:
        return refusal
    return ConnectError(
        f"The server at {routes.url} is of openenv-core 0.1, which has no WebSocket: take "
        f'transport="http", url="{routes.url}".',
        url=routes.url,
    )


def _spaces_given(request: Open | OpenVector) -> Given:
    """Return the Spaces that the caller gives."""
    return Given(request.action_space, request.observation_space, request.spaces)


def _opened(link: OpenEnvServerLink, request: Open | OpenVector) -> Link:
    """Open the session of a link, which has the Spaces that are given already."""
    try:
        link.handle(
            structs.replace(request, spaces=None, action_space=None, observation_space=None)
        )
    except BaseException:
        link.close()
        raise
    return link


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
    server: Server,
    request: Open | OpenVector,
    settings: LinkSettings,
    *,
    refusal: TransportError,
    timeout: float | None,
) -> Link:
    """Open a session on a server that does not know our route.

    Args:
        server: The server, by the address of our route.
        request: Opens the session.
        settings: What the user of the link decides about it.
        refusal: The error, if it does not speak OpenEnv's protocol either.
        timeout: Seconds to wait for a reply.

    Raises:
        OptionError: It has one environment, and several are wanted.
        ConnectError: It is none of OpenEnv's.
    """
    given = _spaces_given(request)
    routes = StockServer(
        _base(server.url, "/exchange"), _without_session(server.headers), proxies=True
    )
    try:
        release = routes.release(min(_FACTS_LIMIT, server.start_timeout))
    except OSError as error:
        raise refusal from error
    if release is None:
        raise refusal
    if release == "current":
        return _by_websocket(server, request, settings, routes.url, timeout)
    lanes = len(request.options) if isinstance(request, OpenVector) else 1
    if lanes > 1:
        raise OptionError(
            f"The legacy server at {routes.url} has one environment, which {lanes} lanes cannot "
            "share. Take num_envs=1, or a server of openenv 0.2 or later.",
            url=routes.url,
        )
    _warn(
        f"The server at {routes.url} is of openenv-core 0.1: it has one environment, which all of "
        "its clients share, so let no one else use it meanwhile. Its resets take no seeds."
    )
    return _opened(
        OpenEnvServerLink(
            server,
            routes,
            Schemas(),
            lambda counts: LegacyDialogue(routes, timeout=timeout),
            given,
            stopwatch=settings.stopwatch,
            label=routes.url,
        ),
        request,
    )


def _by_websocket(
    server: Server,
    request: Open | OpenVector,
    settings: LinkSettings,
    url: str,
    timeout: float | None,
) -> Link:
    """Open a session over a WebSocket at a server that holds no episode over HTTP.

    It makes a new environment for each request, so OpenEnv's own clients take its WebSocket too,
    whatever the scheme of the address that they are given.
    """
    from openenv_gym_transports.websocket import WebSocketTransport

    parts = urlsplit(url)
    transport = WebSocketTransport(
        url=urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws")),
        headers=_without_session(server.headers),
        timeout=timeout,
        start_timeout=server.start_timeout,
    )
    return transport.open(request, settings)


def converse(server: Server, *, timeout: float | None, resumable: bool) -> Conversation:
    """Begin a session that is spoken with in JSON, at a server of OpenEnv's own make or of ours.

    Args:
        server: The server, by the address of its WebSocket.
        timeout: Seconds to wait for a reply.
        resumable: Make a session that outlives its WebSocket.

    Raises:
        TransportError: There is no such server, or it refuses.
    """
    headers = _without_session(server.headers)
    routes = StockServer(_base(server.url, "/ws"), headers, proxies=False)
    try:
        release = routes.release(min(_FACTS_LIMIT, server.start_timeout))
    except OSError as error:
        raise server.unreachable(error) from error
    if release == "legacy":
        return LegacyDialogue(routes, timeout=timeout)
    sessions = _Sessions(
        routes, server.url, headers, timeout, server.start_timeout, resumable, None, server.gone
    )
    return sessions.begin(False)


def _without_session(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != SESSION_HEADER}


def _base(url: str, path: str) -> str:
    """What is before the routes, as HTTP knows it."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.removesuffix(path), "", ""))


def _warn(text: str) -> None:
    warnings.warn(text, StockServerWarning, stacklevel=2)
