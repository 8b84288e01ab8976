"""Who may talk to a network server: whoever knows the token; without one no foreign web page.

A browser lets any page open WebSockets to, and post to, a server on the user's own machine. It says
which page asks, in ``Origin``; other clients send none. A page that has its own name lead to this
machine once it is loaded (DNS rebinding) is of the same origin for the browser: but it has to ask
for that name, in ``Host``.
"""

from __future__ import annotations

import hmac
import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from openenv_gym.server.events import App, Receive, Scope, Send
from openenv_gym.wire.names import HEALTH_PATH, OPENAPI_PATH, READY_PATH

OPEN = frozenset(
    {"/", "/web", "/web/sessions", HEALTH_PATH, READY_PATH, "/docs", "/redoc", OPENAPI_PATH}
)
"""Paths that need no token: they reveal nothing about the sessions. The page asks for one."""


class Guard:
    """ASGI middleware that refuses whoever may not talk to the server.

    Args:
        app: What it guards.
        token: What a client must send as ``Authorization: Bearer TOKEN``; None: nothing.
        hosts: Names by which a server without a token may be called, beside addresses and names
            that no stranger can own.
    """

    def __init__(self, app: App, token: str | None, hosts: Iterable[str] = ()) -> None:
        self._app = app
        self._expected = None if token is None else b"Bearer " + token.encode()
        self._hosts = frozenset(name.lower() for name in (*hosts, socket.gethostname()))
        self._known: set[bytes] = set()  # headers ``Host`` that were let through

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a connection or a request through, or answers it."""
        app: App = self._app
        if scope["type"] in ("http", "websocket"):
            headers = dict(scope["headers"])
            if self._expected is None:
                app = self._foreign(headers) or app
            elif scope["path"] not in OPEN:
                app = self._unknown(headers, self._expected) or app
        await app(scope, receive, send)

    def _unknown(self, headers: dict[bytes, bytes], expected: bytes) -> JSONResponse | None:
        """Return the refusal of a client that does not know the token."""
        given = headers.get(b"authorization", b"")
        if hmac.compare_digest(given, expected):
            return None  # no page can know the token
        problem = "The token is wrong" if given else "This server wants a token"
        return _refuse(
            401,
            f"{problem}: send 'Authorization: Bearer TOKEN' with the one that the server was "
            "started with; of openenv-gym's clients the keyword is token=.",
            {"www-authenticate": "Bearer"},
        )

    def _foreign(self, headers: dict[bytes, bytes]) -> JSONResponse | None:
        """Return the refusal of what a foreign page asks of a server without a token."""
        host = headers.get(b"host", b"")
        if host not in self._known:
            name = _name(host)
            if not self._is_ours(name):
                return _refuse(
                    403,
                    "This server has no token, so it answers only under names that no stranger can "
                    f"own, not under {name[:100]!r}. Use its address, give it a token, or start it "
                    "with --allow-host NAME (create_app(allow_hosts=[NAME])).",
                    {},
                )
            if len(self._known) < _REMEMBERED:
                self._known.add(host)
        origin = headers.get(b"origin")
        if origin is not None and not _is_own(origin, host):
            return _refuse(403, "A page of another origin may not talk to this server.", {})
        cross = headers.get(b"sec-fetch-site") == b"cross-site"
        if cross and headers.get(b"sec-fetch-mode") != b"navigate":
            return _refuse(403, "A page of another site may not talk to this server.", {})
        return None

    def _is_ours(self, name: str) -> bool:
        """Return whether a name leads here by the owner's doing: no stranger can own it."""
        return (
            _is_address(name)
            or "." not in name  # of this network, as localhost and a container's name
            or name in self._hosts
            or name.endswith(_NOT_FOR_SALE)
        )


_NOT_FOR_SALE = (".localhost", ".local", ".internal")
"""Ends of names that no public registry hands out."""

_REMEMBERED = 64


def _is_own(origin: bytes, host: bytes) -> bool:
    """Return whether a page came from this server itself."""
    scheme, _, place = origin.lower().partition(b"://")
    return scheme in (b"http", b"https") and place == host.lower()


def _refuse(status: int, detail: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)


def _name(host: bytes) -> str:
    """Return the name or address in a header ``Host``, without the port."""
    try:
        return (urlsplit(f"//{host.decode('latin-1')}").hostname or "").rstrip(".")
    except ValueError:
        return "."  # which is nobody's


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
