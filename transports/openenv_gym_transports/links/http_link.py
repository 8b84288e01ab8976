"""A session over POST requests, one for each message."""

from __future__ import annotations

from base64 import b64encode
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from openenv_gym.errors import ProtocolError
from openenv_gym.transport import LinkSettings
from openenv_gym.wire.messages import Reply
from openenv_gym.wire.names import CLIENT_ADDRESS, CONTENT_TYPE
from openenv_gym_transports.links.http_client import Poster
from openenv_gym_transports.links.reconnecting import NetworkLink
from openenv_gym_transports.links.server import CONNECT_LIMIT, RETRIED, Server
from openenv_gym_transports.links.websocket_client import address_of

_NOT_THERE = (404, 405, 415)  # where there is no route of ours, or another of its name


class HttpLink(NetworkLink[Poster]):
    """A session on a server of ours.

    Args:
        server: Has the session; ended with the link, where it was started for it.
        timeout: Seconds to wait for a reply; None waits forever.
        settings: What the user of the link decides about it.
    """

    def __init__(self, server: Server, *, timeout: float | None, settings: LinkSettings) -> None:
        super().__init__(server, timeout=timeout, settings=settings)
        self._proxy = None if server.owned is not None else _proxy(server.url)
        parts = urlsplit(server.url)
        # A proxy of plain HTTP needs the whole address.
        self._target = server.url if self._proxy and parts.scheme == "http" else parts.path
        self._headers = dict(server.headers)
        if self._proxy and parts.scheme == "http":
            self._headers |= _credentials(self._proxy)

    def _attempt(self, timeout: float | None) -> Reply:
        reply = None
        if self._connection is not None:
            reply = self._decode(self._received(self._connection, timeout))
        else:
            # Whoever repeats an old request learns nothing new, but if it did not arrive the
            # server would not take the next one.
            for data in list(self._unanswered):
                poster = self._connection
                if poster is None:
                    poster = self._connect(CONNECT_LIMIT if timeout is None else timeout)
                    self._connection = poster
                poster.send(data)
                reply = self._decode(self._received(poster, timeout))
        if reply is None:
            raise ProtocolError("The server answered with the number of another request.")
        return reply

    def _received(self, poster: Poster, timeout: float | None) -> bytes | bytearray:
        """Return the reply to what was posted."""
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
        foreign = not self._opened and status in _NOT_THERE
        raise self._server.refused(status, bytes(body), foreign=foreign)

    def _connect(self, limit: float) -> Poster:
        parts = urlsplit(self._server.url)
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
            raise self._server.unreachable(dropped) from error
        headers = self._headers
        if self._proxy is None:
            headers = {**headers, CLIENT_ADDRESS: address_of(connection.sock)}
        poster = Poster(connection, self._target, CONTENT_TYPE, headers)
        poster.stay_awake(self._busy_wait)
        return poster


def _credentials(proxy: str) -> dict[str, str]:
    """Return the header that says to a proxy who asks, if its URL names a user."""
    parts = urlsplit(proxy)
    if parts.username is None:
        return {}
    named = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return {"Proxy-Authorization": f"Basic {b64encode(named.encode()).decode()}"}


def _proxy(url: str) -> str | None:
    """Return the proxy that the environment variables name for a URL."""
    parts = urlsplit(url)
    if proxy_bypass(parts.hostname or ""):
        return None
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all")
