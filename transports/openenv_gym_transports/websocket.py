"""Over a WebSocket: to a server on the network, or to one that is started here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from openenv_gym.errors import ProtocolError
from openenv_gym.sessions.payload import Conversation
from openenv_gym.transport import Link, LinkSettings
from openenv_gym.wire.messages import Open, OpenVector
from openenv_gym.wire.names import SUBPROTOCOL, WEBSOCKET_PATH
from openenv_gym_transports.links.server import ForeignServerError, Server
from openenv_gym_transports.links.websocket_link import WebSocketLink, connect
from openenv_gym_transports.network import NetworkTransport

__all__ = ["WebSocketTransport"]

# For a server of OpenEnv's own make, which would make an environment for a WebSocket that names no
# session. Ours does not look at it.
_NO_SESSION = "?session_id=none"


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class WebSocketTransport(NetworkTransport):
    """One WebSocket for one session.

    When it drops, the link connects again and goes on with the same session; each step is carried
    out exactly once. Proxies of the environment variables are used, as those of an HTTP connection
    to the same server. To a server of OpenEnv's own make, which selects no subprotocol of ours, the
    link speaks OpenEnv's own protocol (:mod:`openenv_gym_transports.openenv_servers`), and warns
    once.

    Args:
        url: ``ws://host:port`` or ``wss://host`` of a server that runs already, ``hf://owner/name``
            of a Space, or a list of several
            (:class:`~openenv_gym_transports.network.NetworkTransport`). Without it one is started
            for each link, on a loopback port of its own, and ended with it.
        token: The server's token.
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.
        headers: Headers of the handshake that something on the way to the server wants.
        verify: Path of the CA that signed the server's certificate, or an ``ssl.SSLContext``.
        cert: Client certificate: path of a file in PEM with its key; or (certificate, key), or
            (certificate, key, password).
        output: Whether what a server that is started prints goes to this program's standard output
            and error, each line with a prefix.
        resumable: At a server of OpenEnv's own make, make a session that can be taken up again
            after a drop. It is closed with the environment; if this process is killed, it keeps its
            place on the server until that ends, unless that has a ``session_timeout``. False makes
            one that ends with the connection.
    """

    name: ClassVar[str] = "websocket"
    schemes: ClassVar[tuple[str, str]] = ("ws", "wss")
    other: ClassVar[str] = "For http:// and https:// take transport='http'."
    path: ClassVar[str] = WEBSOCKET_PATH

    resumable: bool = True

    def converse(self) -> Conversation:
        """Begin a session at the server at the URL that is spoken with in OpenEnv's JSON.

        Raises:
            TransportError: There is no such server, or it refuses.
        """
        from openenv_gym_transports.openenv_servers.connect import converse

        return converse(self.server(), timeout=self.timeout, resumable=self.resumable)

    def _open_at(self, server: Server, request: Open | OpenVector, settings: LinkSettings) -> Link:
        try:
            socket = connect(
                server, self.start_timeout, query=_NO_SESSION if self.resumable else ""
            )
        except ForeignServerError as error:
            # Here, since only servers of another make need it.
            from openenv_gym_transports.openenv_servers.connect import without_websocket

            raise without_websocket(server, error) from error
        except OSError as error:
            raise server.unreachable(error) from error
        if socket.subprotocol == SUBPROTOCOL:
            socket.stay_awake(settings.busy_wait)
            link = WebSocketLink(server, timeout=self.timeout, settings=settings, connection=socket)
            try:
                link.begin(request, self.start_timeout)
            except BaseException:
                link.close()
                raise
            return link
        try:
            from openenv_gym_transports.openenv_servers.connect import over_websocket

            refusal = ProtocolError(
                f"The server at {server.url} does not speak {SUBPROTOCOL!r}: it is not an "
                "openenv-gym server. Serve the environment with openenv-gym serve.",
                url=server.url,
            )
            return over_websocket(
                server,
                request,
                settings,
                socket=socket,
                refusal=refusal,
                timeout=self.timeout,
                resumable=self.resumable,
            )
        except BaseException:
            socket.close()
            raise
