"""Over a WebSocket: to a server on the network, or to one that is started here."""

from __future__ import annotations

from typing import ClassVar

from websockets.exceptions import InvalidHandshake, InvalidStatus

from openenv_gym.errors import ConnectError, ProtocolError
from openenv_gym.messages import Reply, Request
from openenv_gym_transports.network import CONNECT_LIMIT, RETRIED, NetworkTransport
from openenv_gym_transports.wsclient import WebSocket

SUBPROTOCOL = "openenv-gym.1"


class WebSocketTransport(NetworkTransport):
    """One WebSocket for one session.

    When it drops, the transport connects anew and goes on with the same session; each step is
    carried out exactly once. Proxies of the environment variables are not used.

    Args:
        url: ``ws://host:port`` or ``wss://host`` of a server that runs already. Without it one is
            started, on a loopback port of its own, and ended with :meth:`close`.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits for ever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of the handshake that something on the way to the server wants.
    """

    name = "websocket"
    schemes: ClassVar[tuple[str, str]] = ("ws", "wss")
    other: ClassVar[str] = "For http:// and https:// take transport='http'."
    path: ClassVar[str] = "/ws"

    _socket: WebSocket | None = None

    def _connect_first(self) -> None:
        try:
            self._socket = self._connect(self._start_timeout)
        except OSError as error:
            raise self._unreachable(error) from error

    def _connect(self, limit: float) -> WebSocket:
        assert self._url is not None, "a URL is given or made on opening"
        try:
            socket = WebSocket(
                self._url, subprotocol=SUBPROTOCOL, headers=self._headers, limit=limit
            )
        except InvalidStatus as error:
            response = error.response
            if response.status_code in RETRIED:
                raise ConnectionError(f"HTTP {response.status_code}") from error
            raise self._refused(response.status_code, bytes(response.body)) from error
        except InvalidHandshake as error:
            raise ConnectError(
                f"What answers at {self._url} is no WebSocket server: {error}.", url=self._url
            ) from error
        if socket.subprotocol != SUBPROTOCOL:
            socket.close()
            raise ProtocolError(
                f"The server at {self._url} does not speak {SUBPROTOCOL!r}: it is no openenv-gym. "
                "Serve the environment with openenv-gym serve.",
                url=self._url,
            )
        return socket

    def send(self, request: Request) -> None:
        """Implements Transport.send."""
        data = self._number(request)
        if len(self._unanswered) > 1:
            # The last one timed out: maybe it is the connection that is dead, without a sign.
            self._hang_up()
        socket = self._socket
        if socket is None:
            return  # receive() connects, and sends what is not answered
        try:
            socket.send(data)
        except OSError:
            self._hang_up()
        except BaseException:
            self._hang_up()  # half a frame may be on its way
            raise

    def ready(self, timeout: float) -> bool:
        """Implements Transport.ready; without a connection receive() has something to do."""
        return self._socket is None or self._socket.ready(timeout)

    def fileno(self) -> int | None:
        """Implements Transport.fileno."""
        return None if self._socket is None else self._socket.fileno()

    def _attempt(self, timeout: float | None) -> Reply:
        socket = self._socket
        if socket is None:
            limit = CONNECT_LIMIT if timeout is None else min(timeout, CONNECT_LIMIT)
            socket = self._connect(limit)
            self._socket = socket
            for data in self._unanswered:
                socket.send(data)
        while True:
            reply = self._answer(socket.receive(timeout))
            if reply is not None:
                return reply

    def _hang_up(self) -> None:
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()
