"""Over a WebSocket: to a server on the network, or to one that is started here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from websockets.exceptions import InvalidHandshake, InvalidStatus

from openenv_gym.errors import ConnectError, ProtocolError
from openenv_gym.transport import STEP_TIMEOUT, Transport
from openenv_gym.wire.messages import Open, OpenVector, Reply
from openenv_gym_transports.links.reconnecting import (
    CONNECT_LIMIT,
    RETRIED,
    NetworkTransport,
    NotOursError,
)
from openenv_gym_transports.links.websocket_client import WebSocket

SUBPROTOCOL = "openenv-gym.1"

# For a server of OpenEnv's own make, which would make an environment for a WebSocket that names no
# session. Ours does not look at it.
_NO_SESSION = "?session_id=none"
_NOT_THERE = (403, 404)  # what uvicorn and others answer where there is no WebSocket


class WebSocketTransport(NetworkTransport[WebSocket]):
    """One WebSocket for one session.

    When it drops, the transport connects anew and goes on with the same session; each step is
    carried out exactly once. Proxies of the environment variables are not used. To a server of
    OpenEnv's own make, which selects no subprotocol of ours, it speaks OpenEnv's own protocol
    (:mod:`openenv_gym_transports.openenv_servers`), and warns once.

    Args:
        url: ``ws://host:port`` or ``wss://host`` of a server that runs already. Without it one is
            started, on a loopback port of its own, and ended with :meth:`close`.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of the handshake that something on the way to the server wants.
        resumable: At a server of OpenEnv's own make, make a session that can be taken up again
            after a drop. It is closed with the environment; if this process is killed, it keeps its
            place on the server until that ends, unless that has a ``session_timeout``. False makes
            one that ends with the connection.
        action_space: Description of the action space, where such a server does not tell enough.
        observation_space: Likewise of the observation space.
    """

    name = "websocket"
    schemes: ClassVar[tuple[str, str]] = ("ws", "wss")
    other: ClassVar[str] = "For http:// and https:// take transport='http'."
    path: ClassVar[str] = "/ws"

    def __init__(
        self,
        *,
        url: str | None = None,
        token: str | None = None,
        timeout: float | None = STEP_TIMEOUT,
        start_timeout: float = 60.0,
        headers: Mapping[str, str] | None = None,
        resumable: bool = True,
        action_space: dict[str, Any] | None = None,
        observation_space: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(
            url=url,
            token=token,
            timeout=timeout,
            start_timeout=start_timeout,
            headers=headers,
            action_space=action_space,
            observation_space=observation_space,
        )
        self._resumable = resumable

    def _connect_first(self) -> None:
        try:
            query = _NO_SESSION if self._resumable else ""
            self._connection = self._connect(self._start_timeout, query)
        except NotOursError as found:
            self._connection = found.socket  # whatever becomes of it, close() closes it
            raise
        except OSError as error:
            raise self._unreachable(error) from error

    def _carrier(self, found: NotOursError, request: Open | OpenVector) -> Transport:
        # Here, since only servers of another make need it.
        from openenv_gym_transports.openenv_servers.connect import over_websocket

        assert self._url is not None, "a URL is given or made on opening"
        return over_websocket(
            self._url,
            self._headers,
            self._given(request),
            timeout=self.timeout,
            start_timeout=self._start_timeout,
            resumable=self._resumable,
            found=found,
            gone=self._gone,
        )

    def _connect(self, limit: float, query: str = "") -> WebSocket:
        assert self._url is not None, "a URL is given or made on opening"
        try:
            socket = WebSocket(
                self._url + query, subprotocol=SUBPROTOCOL, headers=self._headers, limit=limit
            )
        except InvalidStatus as error:
            response = error.response
            if response.status_code in RETRIED:
                raise ConnectionError(f"HTTP {response.status_code}") from error
            refusal = self._refused(response.status_code, bytes(response.body))
            if self._opened or response.status_code not in _NOT_THERE:
                raise refusal from error
            raise NotOursError(refusal) from error
        except InvalidHandshake as error:
            raise ConnectError(
                f"What answers at {self._url} is no WebSocket server: {error}.", url=self._url
            ) from error
        if socket.subprotocol != SUBPROTOCOL:
            refusal = ProtocolError(
                f"The server at {self._url} does not speak {SUBPROTOCOL!r}: it is no openenv-gym. "
                "Serve the environment with openenv-gym serve.",
                url=self._url,
            )
            if not self._opened:
                raise NotOursError(refusal, socket)
            socket.close()
            raise refusal
        socket.stay_awake(self.awake)
        return socket

    def _attempt(self, timeout: float | None) -> Reply:
        socket = self._connection
        if socket is None:
            limit = CONNECT_LIMIT if timeout is None else min(timeout, CONNECT_LIMIT)
            socket = self._connect(limit)
            self._connection = socket
            for data in self._unanswered:
                socket.send(data)
        while True:
            reply = self._due(socket.receive(timeout))
            if reply is not None:
                return reply
