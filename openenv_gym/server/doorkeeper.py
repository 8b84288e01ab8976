"""The door of a network server: which clients have a session, and which are strangers."""

from __future__ import annotations

from time import perf_counter

from openenv_gym.server.connections import KEY, Connection
from openenv_gym.server.events import App, Event, Receive, Scope, Send
from openenv_gym.server.sessions import HEADER_BYTES, Sessions
from openenv_gym.wire.names import CLIENT_ADDRESS, SESSION_COOKIE

_COOKIE = f"{SESSION_COOKIE}=".encode()
_ADDRESS_HEADER = CLIENT_ADDRESS.lower().encode()


class Doorkeeper:
    """ASGI middleware that knows the clients that have a session, and watches over the others.

    Args:
        app: Gets all that comes.
        sessions: The server's.
    """

    def __init__(self, app: App, sessions: Sessions) -> None:
        self._app = app
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request or a WebSocket on."""
        connection = connection_of(scope)
        if connection is None or connection.known or self._knows(scope, connection):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await self._watch(connection, scope, receive, send)
        else:
            try:
                await self._app(scope, receive, send)
            finally:
                connection.welcome()  # no longer a stranger: it is gone

    def _knows(self, scope: Scope, connection: Connection) -> bool:
        """Whether the request is for a session of this server."""
        for name, value in scope["headers"]:
            if name == _ADDRESS_HEADER:
                connection.direct = value.decode("latin-1") == connection.peer
            elif (name == HEADER_BYTES and value.decode("latin-1") in self._sessions) or (
                name == b"cookie" and _session_in(value) in self._sessions
            ):
                connection.welcome()
        return connection.known

    async def _watch(
        self, connection: Connection, scope: Scope, receive: Receive, send: Send
    ) -> None:
        async def watched() -> Event:
            event = await receive()
            if not event.get("more_body"):
                connection.working()
            return event

        if scope["method"] in ("GET", "HEAD"):
            connection.working()
        began = perf_counter()
        try:
            await self._app(scope, watched, send)
        finally:
            connection.answered(perf_counter() - began)


def _session_in(cookie: bytes) -> str:
    _, _, rest = cookie.partition(_COOKIE)
    return rest.partition(b";")[0].strip().decode("latin-1")


def connection_of(scope: Scope) -> Connection | None:
    """Return the connection that a request came over; None on a server that others started."""
    connection: Connection | None = scope.get("state", {}).get(KEY)
    return connection


def welcome(scope: Scope) -> None:
    """Note that the client at the other end of a WebSocket has a session now."""
    connection = connection_of(scope)
    if connection is not None:
        connection.welcome()
