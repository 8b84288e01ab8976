"""Routes for whoever runs the server: ``/ready`` and ``/metrics``; ``/health`` is OpenEnv's own.

``/health`` says that the server lives, ``/ready`` that it takes new sessions. They reveal nothing
about the sessions, so they need no token; ``/metrics`` needs it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openenv_gym.errors import MissingDependencyError
from openenv_gym.server.sessions import Sessions
from openenv_gym.wire.names import METRICS_PATH, READY_PATH

if TYPE_CHECKING:
    from openenv_gym.server.metrics import Metrics

CLOSING = "The server is ending: it takes no new sessions."
_STARTING = "The server is starting: its backend is not ready yet."


def unready(detail: str) -> JSONResponse:
    """Return the answer of a server that takes no new sessions now."""
    return JSONResponse({"detail": detail, "code": "NOT_READY"}, 503)


def operations(sessions: Sessions) -> list[Route]:
    """Return the routes.

    Args:
        sessions: Those of the server.
    """
    shown: list[Metrics] = []  # made with the first request, since few servers are asked

    def text() -> bytes:
        # Here, since it loads Prometheus' package.
        from openenv_gym.server.metrics import Metrics

        if not shown:
            shown.append(Metrics(sessions))
        return shown[0].text()

    async def ready(request: Request) -> Response:
        if sessions.ready:
            return JSONResponse({"status": "ready"})
        return unready(CLOSING if sessions.draining else _STARTING)

    async def metrics(request: Request) -> Response:
        try:
            found = await asyncio.to_thread(text)
        except MissingDependencyError as error:
            return JSONResponse({"detail": str(error)}, 501)
        return Response(found, media_type="text/plain; version=0.0.4")

    return [
        Route(READY_PATH, ready, methods=["GET"]),
        Route(METRICS_PATH, metrics, methods=["GET"]),
    ]
