"""A session over WebSockets, of which one at a time is connected."""

from __future__ import annotations

from websockets.exceptions import InvalidHandshake, InvalidStatus

from openenv_gym.errors import ConnectError, ProtocolError
from openenv_gym.wire.messages import Reply
from openenv_gym.wire.names import SUBPROTOCOL
from openenv_gym_transports.links.reconnecting import NetworkLink
from openenv_gym_transports.links.server import CONNECT_LIMIT, RETRIED, RefusedForNowError, Server
from openenv_gym_transports.links.websocket_client import WebSocket

_NOT_THERE = (403, 404)  # what uvicorn and others answer where there is no WebSocket


class WebSocketLink(NetworkLink[WebSocket]):
    """A session on a server of ours; the arguments are those of the base class."""

    def _attempt(self, timeout: float | None) -> Reply:
        socket = self._connection
        if socket is None:
            socket = self._connect(CONNECT_LIMIT if timeout is None else timeout)
            self._connection = socket
            for data in self._unanswered:
                socket.send(data)
        return self._reply(socket.receive, timeout)

    def _connect(self, limit: float) -> WebSocket:
        socket = connect(self._server, min(limit, CONNECT_LIMIT))
        if socket.subprotocol != SUBPROTOCOL:
            socket.close()
            raise ProtocolError(
                f"The server at {self._server.url} does not speak {SUBPROTOCOL!r} any more.",
                url=self._server.url,
            )
        socket.stay_awake(self._busy_wait)
        return socket


def open_websocket(
    server: Server, url: str, limit: float, *, subprotocol: str | None = None
) -> WebSocket:
    """Return a WebSocket to a server, by the way that leads there."""
    return WebSocket(
        url,
        subprotocol=subprotocol,
        headers=server.headers,
        limit=limit,
        context=server.context if url.startswith("wss:") else None,
        proxies=server.owned is None,
    )


def connect(server: Server, limit: float, *, query: str = "") -> WebSocket:
    """Connect to a server, and offer it our subprotocol.

    Args:
        server: The server.
        limit: Seconds that it may take.
        query: What its address ends with.

    Raises:
        OSError: It does not answer, or not within the limit.
        ForeignServerError: It has no WebSocket there.
        TransportError: It refuses.
    """
    try:
        return open_websocket(server, server.url + query, limit, subprotocol=SUBPROTOCOL)
    except InvalidStatus as error:
        response = error.response
        if response.status_code in RETRIED:
            raise RefusedForNowError(response.status_code) from error
        raise server.refused(
            response.status_code,
            bytes(response.body),
            foreign=response.status_code in _NOT_THERE,
        ) from error
    except InvalidHandshake as error:
        raise ConnectError(
            f"What answers at {server.url} is not a WebSocket server: {error}.", url=server.url
        ) from error
