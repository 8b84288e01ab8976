"""Who may talk to a network server: whoever knows the token, and no foreign web page.

A browser lets any page open WebSockets to, and post to, a server on the user's own machine. It says
which page asks, in ``Origin``; other clients send none.
"""

from __future__ import annotations

import hmac
import ipaddress
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from openenv_gym.server.events import App, Receive, Scope, Send

OPEN = frozenset({"/", "/web", "/health", "/docs", "/redoc", "/openapi.json"})
"""Paths that need no token: they tell nothing of the sessions. The page asks for one."""


class Guard:
    """ASGI middleware that refuses whoever may not talk to the server.

    Args:
        app: What it guards.
        token: What a client must send as ``Authorization: Bearer TOKEN``; None: nothing.
    """

    def __init__(self, app: App, token: str | None) -> None:
        self._app = app
        self._expected = None if not token else b"Bearer " + token.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a connection or a request through, or answers it."""
        app: App = self._app
        if scope["type"] in ("http", "websocket") and scope["path"] not in OPEN:
            app = self._refusal(dict(scope["headers"])) or app
        await app(scope, receive, send)

    def _refusal(self, headers: dict[bytes, bytes]) -> JSONResponse | None:
        if self._expected is not None:
            given = headers.get(b"authorization", b"")
            if hmac.compare_digest(given, self._expected):
                return None  # no page can know the token
            problem = "The token is wrong" if given else "This server wants a token"
            return _refuse(
                401,
                f"{problem}: send 'Authorization: Bearer TOKEN' with the one that the server was "
                "started with; of openenv-gym's clients the keyword is token=.",
                {"www-authenticate": "Bearer"},
            )
        origin = headers.get(b"origin")
        if origin is not None and not _is_own(origin, headers.get(b"host", b"")):
            return _refuse(403, "A page of another origin may not talk to this server.", {})
        return None


def _refuse(status: int, detail: str, headers: dict[str, str]) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)


def _is_own(origin: bytes, host: bytes) -> bool:
    """The page came from this server itself.

    By its address or as localhost, not by another name: a page can have its own name lead here
    once it is loaded.
    """
    try:
        parts = urlsplit(origin.decode("latin-1"))
        name = parts.hostname or ""
    except ValueError:
        return False
    if parts.netloc.lower() != host.decode("latin-1").lower():
        return False
    return name == "localhost" or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
