"""Finds out which kind of OpenEnv server answers, and opens a session there."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

from msgspec import structs
from websockets.exceptions import InvalidHandshake

from openenv_gym.errors import (
    ConnectError,
    EnvironmentFailedError,
    OpenEnvServerWarning,
    OptionError,
    ServerFullError,
    SessionLostError,
    TransportError,
)
from openenv_gym.sessions.payload import Conversation
from openenv_gym.spaces.guesses import guesses_text
from openenv_gym.spaces.json.given import Given
from openenv_gym.transport import Link, LinkSettings
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import EXCHANGE_PATH, SESSION_HEADER, WEBSOCKET_PATH
from openenv_gym.wire.time_limits import NO_LIMITS
from openenv_gym_transports.links.server import Server
from openenv_gym_transports.links.websocket_client import WebSocket
from openenv_gym_transports.links.websocket_link import open_websocket
from openenv_gym_transports.openenv_servers.count import StepCount
from openenv_gym_transports.openenv_servers.dialogue import Dialogue
from openenv_gym_transports.openenv_servers.legacy import LegacyDialogue
from openenv_gym_transports.openenv_servers.link import OpenEnvServerLink
from openenv_gym_transports.openenv_servers.server import OpenEnvServer, Schemas

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
    """Open a session on a server that did not select our subprotocol.

    Args:
        server: The server, by the address of its WebSocket.
        request: The request that opens the session.
        settings: Settings of the link.
        socket: The WebSocket to the server; the caller closes it if this function fails.
        refusal: The error to raise if the server does not speak OpenEnv's protocol either.
        timeout: Seconds to wait for a reply.
        resumable: Whether to make sessions that outlive their WebSockets.

    Raises:
        TransportError: The server does not speak OpenEnv's protocol, or cannot be used.
    """
    _check_limits(settings, server.url)
    given = _read_given(request)
    routes = _routes(server, WEBSOCKET_PATH)
    try:
        schemas = routes.schemas(_FACTS_LIMIT)  # not /metadata, which makes an environment
    except OSError as error:
        raise refusal from error
    if schemas.action is None:
        raise refusal  # this is not a server of OpenEnv
    sessions = _Sessions(routes, _without_session(server), timeout, resumable, socket)
    return _open(
        OpenEnvServerLink(
            server,
            routes,
            schemas,
            sessions.begin,
            given,
            stopwatch=settings.stopwatch,
        ),
        request,
        f"The server at {routes.url} does not know openenv-gym, so OpenEnv's own protocol is used. "
        "It does not say whether seeds have an effect or whether an episode was truncated.",
    )


def without_websocket(server: Server, refusal: TransportError) -> TransportError:
    """Return the error for a server without a WebSocket, such as a legacy server."""
    routes = _routes(server, WEBSOCKET_PATH)
    try:
        if routes.release(_FACTS_LIMIT) != "legacy":
            return refusal
    except OSError:
        return refusal
    return ConnectError(
        f"The server at {routes.url} is of openenv-core 0.1, which has no WebSocket: use "
        f'transport="http", url="{routes.url}".',
        url=routes.url,
    )


def _check_limits(settings: LinkSettings, url: str) -> None:
    """Check that nothing is asked of time that such a server's client cannot keep."""
    if settings.limits != NO_LIMITS:
        raise OptionError(
            f"reset_timeout=, step_timeout=, render_timeout= and close_timeout= cannot be kept: "
            f"the server at {url} is OpenEnv's own, where timeout= holds for each request. Leave "
            "them out.",
            url=url,
        )


def _read_given(request: Open | OpenVector) -> Given:
    """Return the Spaces that the caller gives."""
    return Given(request.action_space, request.observation_space, request.spaces)


def _open(link: OpenEnvServerLink, request: Open | OpenVector, warning: str) -> Link:
    """Open the session of a link, which has the caller's Spaces already.

    Args:
        link: The link.
        request: The request that opens the session.
        warning: What the server cannot do; it is completed by the Spaces that are defaults.
    """
    if not link.calls_tools:  # whose Spaces are not for the caller to give, which the session says
        request = structs.replace(request, spaces=None, action_space=None, observation_space=None)
    try:
        try:
            link.handle(request)
        finally:  # a refusal may be due to what the warning says
            _warn(f"{warning} {guesses_text(link.space_sources)}".strip())
    except BaseException:
        link.close()
        raise
    return link


@dataclass
class _Sessions:
    """Begins sessions over WebSockets, with the arguments of :func:`over_websocket`."""

    routes: OpenEnvServer
    server: Server
    timeout: float | None
    resumable: bool
    # The WebSocket to the server. For resumable sessions it names a session that does not exist: a
    # server that refuses it can attach sessions, any other has made a session.
    found: WebSocket | None
    begun: int = 0

    def begin(self, counts: bool) -> Dialogue:
        """Begin a session.

        Args:
            counts: Whether the environment is known to count its steps.
        """
        try:
            return self._begin(counts)
        except ServerFullError as error:
            # All lanes are closed now, so that the sessions of earlier lanes are free again.
            error.fields["free"] = self.begun
            raise

    def _begin(self, counts: bool) -> Dialogue:
        socket, self.found = self.found, None
        if socket is not None:
            try:
                dialogue = self._make_dialogue(counts, None, socket)
            except EnvironmentFailedError as error:
                if not (self.resumable and error.fields.get("code") == "SESSION_ERROR"):
                    raise
            else:
                self.resumable = False
                return dialogue
        try:
            limit = self.server.start_timeout
            session = self.routes.create_session(limit) if self.resumable else None
            if session is None:
                socket = open_websocket(self.server, self.server.url, limit)
        except (OSError, InvalidHandshake) as error:
            raise ConnectError(
                f"The server at {self.routes.url} did not make a session: {error}.",
                url=self.server.url,
            ) from error
        return self._make_dialogue(counts, session, None if session else socket)

    def _make_dialogue(
        self, counts: bool, session: str | None, socket: WebSocket | None
    ) -> Dialogue:
        dialogue = Dialogue(
            self.routes,
            self.server,
            session=session,
            socket=socket,
            timeout=self.timeout,
            count=StepCount(trusted=counts),
        )
        try:
            dialogue.begin(self.server.start_timeout)
        except SessionLostError as error:
            dialogue.close()
            raise ConnectError(
                f"The server at {self.routes.url} made a session but does not know it: {error} "
                "Perhaps it has several worker processes: serve with one, or give the transport "
                "option resumable=False.",
                url=self.server.url,
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
    """Open a session on a server that does not have our route.

    Args:
        server: The server, by the address of our route.
        request: The request that opens the session.
        settings: Settings of the link.
        refusal: The error to raise if the server does not speak OpenEnv's protocol either.
        timeout: Seconds to wait for a reply.

    Raises:
        OptionError: The server has one environment, and several are requested.
        ConnectError: This is not a server of OpenEnv.
    """
    _check_limits(settings, server.url)
    given = _read_given(request)
    routes = _routes(server, EXCHANGE_PATH)
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
            "share. Use num_envs=1, or a server of openenv 0.2 or later.",
            url=routes.url,
        )
    return _open(
        OpenEnvServerLink(
            server,
            routes,
            Schemas(),
            lambda counts: LegacyDialogue(routes, timeout=timeout),
            given,
            stopwatch=settings.stopwatch,
        ),
        request,
        f"The server at {routes.url} is of openenv-core 0.1: it has one environment, which all of "
        "its clients share, so make sure that nobody else uses it. Its resets take no seeds.",
    )


def _by_websocket(
    server: Server,
    request: Open | OpenVector,
    settings: LinkSettings,
    url: str,
    timeout: float | None,
) -> Link:
    """Open a session over a WebSocket at a server that keeps no episode over HTTP.

    The server makes a new environment for each HTTP request, so OpenEnv's own clients use its
    WebSocket too, whatever the scheme of the address.
    """
    from openenv_gym_transports.websocket import WebSocketTransport

    parts = urlsplit(url)
    if server.client is not None:
        raise OptionError(
            f"The server at {url} keeps no episode over HTTP, and its WebSocket does not go by "
            "client=: leave client= out, and give verify= and cert= where it needs them.",
            url=url,
        )
    transport = WebSocketTransport(
        url=urlunsplit(parts._replace(scheme="wss" if parts.scheme == "https" else "ws")),
        headers=dict(_without_session(server).headers),
        timeout=timeout,
        start_timeout=server.start_timeout,
        verify=server.verify,
        cert=server.cert,
    )
    return transport.open(request, settings)


def converse(server: Server, *, timeout: float | None, resumable: bool) -> Conversation:
    """Begin a session in JSON at a server, which may be OpenEnv's own or ours.

    Args:
        server: The server, by the address of its WebSocket.
        timeout: Seconds to wait for a reply.
        resumable: Whether to make a session that outlives its WebSocket.

    Raises:
        TransportError: The server cannot be reached, or refuses.
    """
    routes = _routes(server, WEBSOCKET_PATH)
    try:
        release = routes.release(min(_FACTS_LIMIT, server.start_timeout))
    except OSError as error:
        raise server.unreachable(error) from error
    if release == "legacy":
        return LegacyDialogue(routes, timeout=timeout)
    sessions = _Sessions(routes, _without_session(server), timeout, resumable, None)
    return sessions.begin(False)


def _routes(server: Server, path: str) -> OpenEnvServer:
    """Return the routes of the server with the address of one of its faces, which ends so."""
    return OpenEnvServer(replace(_without_session(server), url=_base(server.url, path)))


def _without_session(server: Server) -> Server:
    headers = {name: value for name, value in server.headers.items() if name != SESSION_HEADER}
    return replace(server, headers=headers)


def _base(url: str, path: str) -> str:
    """Return the address before the routes, for HTTP."""
    parts = urlsplit(url)
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.removesuffix(path), "", ""))


def _warn(text: str) -> None:
    warnings.warn(text, OpenEnvServerWarning, stacklevel=2)
