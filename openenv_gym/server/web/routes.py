"""The routes of the page: itself, and the picture of a session."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from openenv_gym.errors import OpenEnvGymError
from openenv_gym.server.openenv_protocol.exchange import carrier, error_body, written
from openenv_gym.server.openenv_protocol.http import OpenEnvRoutes, answering
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.wire.messages import Answer, Frame, Query, Render, Reply

PATH = "/web"

WebReply = tuple[int, bytes, str | None]
"""Status, body and content type."""


class WebRoutes:
    """The routes.

    Args:
        lobby: Where sessions begin, with something to see.
        openenv: The routes that the page plays by.
    """

    def __init__(self, lobby: Lobby, openenv: OpenEnvRoutes) -> None:
        self._lobby = lobby
        self._openenv = openenv

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(PATH, self._page, methods=["GET"]),
            Route(f"{PATH}/about", answering(self._about), methods=["GET"]),
            Route(f"{PATH}/frame", answering(self._frame), methods=["GET"]),
            Route(f"{PATH}/drawing", answering(self._drawing), methods=["GET"]),
            Route("/", self._home, methods=["GET"]),
        ]

    async def _home(self, request: Request) -> Response:
        return RedirectResponse(request.scope.get("root_path", "") + PATH)

    async def _page(self, request: Request) -> Response:
        return page("page")

    async def _about(self, request: Request) -> Response:
        description = await self._lobby.description()
        reset = description.reset_schema.get("properties", {})
        return JSONResponse({**description.page, "reset_options": reset})

    async def _frame(self, request: Request) -> Response:
        id = self._openenv.session_of(request)
        known = self._lobby.known
        if known is None or not known.metadata.get("render_modes"):
            return Response(status_code=204)  # there is nothing to see
        status, body, kind = await self._openenv.reply(id, Render(), _FRAME)
        return Response(body, status, media_type=kind, headers={"Cache-Control": "no-store"})

    async def _drawing(self, request: Request) -> Response:
        """What the environment's ``render_web`` and ``web_actions`` return."""
        id = self._openenv.session_of(request)
        status, body, kind = await self._openenv.reply(id, Query("page"), _DRAWING)
        return Response(body, status, media_type=kind, headers={"Cache-Control": "no-store"})


def _picture(reply: Reply) -> WebReply:
    assert isinstance(reply, Frame)
    if isinstance(reply.frame, str):
        return 200, reply.frame.encode(), "text/plain"
    if reply.frame is None:
        return 204, b"", None
    return 200, png(reply.frame), "image/png"


def _refused(error: OpenEnvGymError) -> WebReply:
    return *error_body(error), "application/json"


def _drawn(reply: Reply) -> WebReply:
    assert isinstance(reply, Answer)
    return 200, written(reply.value), "application/json"


_FRAME = carrier(_picture, _refused)
_DRAWING = carrier(_drawn, _refused)


def png(picture: NDArray[Any]) -> bytes:
    """A picture as a PNG file.

    Args:
        picture: (height, width, 3) uint8.
    """
    height, width, _ = picture.shape
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # before each row the filter: none
    rows[:, 1:] = picture.reshape(height, 3 * width)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(rows.tobytes(), 1)
    chunks = ((b"IHDR", head), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, part) for kind, part in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    check = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)


def page(name: str) -> Response:
    """Return a page: ``NAME.html`` with ``NAME.js`` and the style that all have."""
    text, policy = _page(name)
    headers = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    return Response(text, media_type="text/html", headers=headers)


@cache
def _page(name: str) -> tuple[str, str]:
    """The page, and what a browser may do for it: nothing but this script and this server.

    What an environment draws has styles and small pictures of its own, in a frame that runs no
    script and is under the same policy.
    """
    folder = importlib.resources.files("openenv_gym.server.web")
    style, script, text = (
        (folder / file).read_text("utf-8") for file in ("page.css", f"{name}.js", f"{name}.html")
    )
    policy = {
        "default-src": "'none'",
        "script-src": _hash(script),
        "style-src": "'unsafe-inline'" if name == "page" else _hash(style),
        "img-src": "blob: data:" if name == "page" else "blob:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    text = text.replace("/*STYLE*/", style).replace("/*SCRIPT*/", script)
    return text, "; ".join(f"{name} {value}" for name, value in policy.items())


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
