"""A session over POST requests, one for each message."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from openenv_gym.errors import ProtocolError
from openenv_gym.transport import LinkSettings
from openenv_gym.wire.messages import Reply
from openenv_gym.wire.names import CLIENT_ADDRESS, CONTENT_TYPE
from openenv_gym_transports.links.http_client import Poster
from openenv_gym_transports.links.proxies import proxy_of
from openenv_gym_transports.links.reconnecting import NetworkLink
from openenv_gym_transports.links.server import (
    CONNECT_LIMIT,
    RETRIED,
    NotConnectedError,
    Server,
)
from openenv_gym_transports.links.sockets import address_of, connect_socket

if TYPE_CHECKING:
    from openenv_gym_transports.links.client_poster import ClientPoster
    from openenv_gym_transports.links.httpx_client import HttpClient

_A_MOMENT = 0.01
_NOT_THERE = (404, 405, 415)  # where there is no route of ours, or another of its name


class HttpLink(NetworkLink["Poster | ClientPoster"]):
    """A session on a server of ours.

    Requests go over a connection of its own; through a proxy, and by a client of the user's, they
    go by httpx.

    Args:
        server: Has the session; ended with the link, where it was started for it.
        timeout: Seconds to wait for a reply; None waits forever.
        settings: What the user of the link decides about it.
    """

    def __init__(self, server: Server, *, timeout: float | None, settings: LinkSettings) -> None:
        super().__init__(server, timeout=timeout, settings=settings)
        self._client: HttpClient | None = None
        self._client_limit = None if timeout is None else max(timeout, server.start_timeout)
        if server.client is not None or (server.owned is None and proxy_of(server.url)):
            # Here, since httpx takes longer to import than all else.
            from openenv_gym_transports.links.httpx_client import HttpClient

            self._client = HttpClient(server)

    def _attempt(self, timeout: float | None) -> Reply:
        reply = None
        if self._connection is not None:
            reply = self._decode(self._received(self._connection, timeout))
        else:
            # Whoever repeats an old request learns nothing new, but if it did not arrive the
            # server would not take the next one.
            end = None if timeout is None else monotonic() + timeout
            for data in list(self._unanswered):
                left = None if end is None else max(end - monotonic(), _A_MOMENT)
                poster = self._connection
                if poster is None:
                    poster = self._connect(CONNECT_LIMIT if left is None else left)
                    self._connection = poster
                poster.send(data)
                reply = self._decode(self._received(poster, left))
        if reply is None:
            raise ProtocolError("The server answered with the number of another request.")
        return reply

    def _received(self, poster: Poster | ClientPoster, timeout: float | None) -> bytes | bytearray:
        """Return the reply to what was posted."""
        try:
            status, kind, body = poster.receive(timeout)
        except TimeoutError:
            if poster.begun:
                self._hang_up()  # the next call would take the rest for a reply
            raise
        except ProtocolError:
            self._hang_up()
            raise
        except (NotConnectedError, ConnectionRefusedError) as error:
            if self._opened:
                raise
            raise self._server.unreachable(error) from error
        if not poster.usable:
            self._hang_up()
        if kind == CONTENT_TYPE:
            return body
        if self._opened and status in RETRIED:
            raise ConnectionError(f"HTTP {status}")
        foreign = not self._opened and status in _NOT_THERE
        raise self._server.refused(status, bytes(body), foreign=foreign)

    def _connect(self, limit: float) -> Poster | ClientPoster:
        url = self._server.url
        if self._client is not None:
            from openenv_gym_transports.links.client_poster import ClientPoster

            headers = self._server.headers
            return ClientPoster(self._client, url, CONTENT_TYPE, headers, self._client_limit)
        parts = urlsplit(url)
        context = self._server.context if parts.scheme == "https" else None
        port = parts.port or (80 if context is None else 443)
        try:
            sock = connect_socket(parts.hostname or "", port, context, min(limit, CONNECT_LIMIT))
        except OSError as error:
            dropped = ConnectionError(str(error) or type(error).__name__)
            if self._opened:
                raise dropped from error
            raise self._server.unreachable(dropped) from error
        headers = {**self._server.headers, CLIENT_ADDRESS: address_of(sock)}
        poster = Poster(sock, url, CONTENT_TYPE, headers)
        poster.stay_awake(self._busy_wait)
        return poster

    def _end_connection(self) -> None:
        """Like the base method; ends the client of httpx too."""
        super()._end_connection()
        if self._client is not None:
            self._client.close()
