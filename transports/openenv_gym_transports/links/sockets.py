"""Connections to a server: plain ones and TLS."""

from __future__ import annotations

import socket
import ssl
from time import monotonic


def connect_socket(
    host: str, port: int, context: ssl.SSLContext | None, limit: float
) -> socket.socket:
    """Connect to a server.

    Args:
        host: Its name or address.
        port: Its port.
        context: For TLS; None for a plain connection.
        limit: Seconds that it may take.

    Raises:
        OSError: Nothing answers there, or not within the limit (TimeoutError).
    """
    deadline = monotonic() + limit
    sock = socket.create_connection((host, port), timeout=limit)
    return prepared(sock, host, context, deadline)


def prepared(
    sock: socket.socket, host: str, context: ssl.SSLContext | None, deadline: float
) -> socket.socket:
    """Return a socket that is connected to a server, with TLS if there is a context.

    The socket is closed where that fails.
    """
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            sock.settimeout(max(deadline - monotonic(), 0.001))
            sock = context.wrap_socket(sock, server_hostname=host)
        sock.settimeout(None)
    except BaseException:
        sock.close()
        raise
    return sock


def address_of(sock: socket.socket) -> str:
    """Return this end's address, as the other end sees it where nothing is between them."""
    host, port = sock.getsockname()[:2]
    return f"{host}:{port}"
