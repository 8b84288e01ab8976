"""Over HTTP requests: where proxies and firewalls allow nothing else."""

from __future__ import annotations

from base64 import b64encode
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import ClassVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from openenv_gym.errors import ProtocolError
from openenv_gym.transport import Transport
from openenv_gym.wire.messages import Open, OpenVector, Reply
from openenv_gym_transports.links.http_client import Poster
from openenv_gym_transports.links.reconnecting import (
    CONNECT_LIMIT,
    RETRIED,
    NetworkTransport,
    NotOursError,
)

CONTENT_TYPE = "application/vnd.openenv-gym.1+msgpack"
_NOT_THERE = (404, 405, 415)  # where there is no route of ours, or another of its name


class HttpTransport(NetworkTransport[Poster]):
    """One POST request for each message, over a connection that is kept.

    When it drops, the request is repeated; each step is carried out exactly once. What both ends of
    a kept connection need not do anew for each request is left out (:mod:`.httpclient`).

    To a legacy server of OpenEnv's own make (openenv-core 0.1) it speaks OpenEnv's own protocol,
    and warns once. Later ones hold no episode over HTTP: for these take ``transport="websocket"``.

    The server cannot see a client that is gone between two requests: close the environment, or the
    session waits for its idle timeout.

    Args:
        url: ``http://host:port`` or ``https://host`` of a server that runs already; proxies of the
            environment variables are used. Without it one is started, on a loopback port of its
            own, and ended with :meth:`close`.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of each request that something on the way to the server wants.
        action_space: Description of the action space, for a legacy server.
        observation_space: Likewise of the observation space.
    """

    name = "http"
    schemes: ClassVar[tuple[str, str]] = ("http", "https")
    other: ClassVar[str] = "For ws:// and wss:// take transport='websocket'."
    path: ClassVar[str] = "/exchange"

    def _connect_first(self) -> None:
        assert self._url is not None, "a URL is given or made on opening"
        self._proxy = None if self._child is not None else _proxy(self._url)
        parts = urlsplit(self._url)
        # A proxy of plain HTTP is told the whole address.
        self._target = self._url if self._proxy and parts.scheme == "http" else parts.path
        self._prepared = dict(self._headers)
        if self._proxy and parts.scheme == "http":
            self._prepared |= _credentials(self._proxy)

    def _attempt(self, timeout: float | None) -> Reply:
        reply = None
        if self._connection is not None:
            reply = self._due(self._received(self._connection, timeout))
        else:
            # Whoever repeats an old request learns nothing new, but if it did not arrive the
            # server would not take the next one.
            for data in list(self._unanswered):
                poster = self._connection
                if poster is None:
                    poster = self._connect(CONNECT_LIMIT if timeout is None else timeout)
                    self._connection = poster
                poster.send(data)
                reply = self._due(self._received(poster, timeout))
        if reply is None:
            raise ProtocolError("The server answered with the number of another request.")
        return reply

    def _received(self, poster: Poster, timeout: float | None) -> bytes | bytearray:
        """The reply to what was posted."""
        try:
            status, kind, body = poster.receive(timeout)
        except TimeoutError:
            if poster.begun:
                self._hang_up()  # the next call would take the rest for a reply
            raise
        if not poster.usable:
            self._hang_up()
        if kind == CONTENT_TYPE:
            return body
        if self._opened and status in RETRIED:
            raise ConnectionError(f"HTTP {status}")
        refusal = self._refused(status, bytes(body))
        if self._opened or status not in _NOT_THERE:
            raise refusal
        raise NotOursError(refusal)

    def _carrier(self, found: NotOursError, request: Open | OpenVector) -> Transport:
        # Here, since only servers of another make need it.
        from openenv_gym_transports.openenv_servers.connect import over_http

        assert self._url is not None, "a URL is given or made on opening"
        return over_http(
            self._url,
            self._headers,
            self._given(request),
            timeout=self.timeout,
            start_timeout=self._start_timeout,
            request=request,
            found=found,
        )

    def _connect(self, limit: float) -> Poster:
        assert self._url is not None, "a URL is given or made on opening"
        parts = urlsplit(self._url)
        via = urlsplit(self._proxy) if self._proxy else parts
        secure = parts.scheme == "https"
        kind = HTTPSConnection if secure else HTTPConnection
        port = via.port or (443 if secure and not self._proxy else 80)
        connection = kind(via.hostname or "", port, timeout=min(limit, CONNECT_LIMIT))
        if self._proxy and secure:
            connection.set_tunnel(parts.hostname or "", parts.port, _credentials(self._proxy))
        try:
            connection.connect()
        except (OSError, HTTPException) as error:
            connection.close()
            dropped = ConnectionError(str(error) or type(error).__name__)
            if self._opened:
                raise dropped from error
            raise self._unreachable(dropped) from error
        poster = Poster(connection, self._target, CONTENT_TYPE, self._prepared)
        poster.stay_awake(self.awake)
        return poster


def _credentials(proxy: str) -> dict[str, str]:
    """The header that tells a proxy who asks, if its URL names a user."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(named.encode()).decode()}"}


def _proxy(url: str) -> str | None:
    """The proxy that the environment variables name for a URL."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
