"""The dashboard of a running server, at ``/web/sessions``: for its owner, who knows the token."""

from __future__ import annotations

import asyncio
import math
from time import monotonic
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openenv_gym.errors import OpenEnvGymError
from openenv_gym.server.attached import AttachedSession
from openenv_gym.server.openenv_protocol.problems import message_of
from openenv_gym.server.sessions import Sessions
from openenv_gym.server.web.routes import PATH, page, png

_PATH = f"{PATH}/sessions"
_NO_TOKEN = (
    "The dashboard shows what all clients do, so it is for the server's owner only, and this "
    "server has no token to know the owner by: start it with OPENENV_GYM_TOKEN, or --token."
)
_MOST_LANES = 16
"""Lanes of a vector that are shown, its first ones."""
_PICTURE_LIMIT = 10.0  # seconds: a step may be long, and comes first


class Dashboard:
    """The routes.

    Args:
        sessions: Those of the server.
        has_token: Whoever gets here knows the server's token.
    """

    def __init__(self, sessions: Sessions, *, has_token: bool) -> None:
        self._sessions = sessions
        self._has_token = has_token
        self._began = monotonic()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route(_PATH, self._page, methods=["GET"]),
            Route(f"{_PATH}/data", self._data, methods=["GET"]),
            Route(f"{_PATH}/{{number:int}}/picture", self._picture, methods=["GET"]),
        ]

    async def _page(self, request: Request) -> Response:
        return page("sessions")

    async def _data(self, request: Request) -> Response:
        return self._refusal() or JSONResponse(self._found(), headers={"Cache-Control": "no-store"})

    def _refusal(self) -> Response | None:
        return None if self._has_token else JSONResponse({"detail": _NO_TOKEN}, 403)

    def _found(self) -> dict[str, Any]:
        sessions, meter, now = self._sessions, self._sessions.meter, monotonic()
        return {
            "environment": sessions.environment.rpartition("/")[2],
            "seconds": now - self._began,
            "sessions": len(sessions),
            "max_sessions": sessions.max_sessions,
            "opened": meter.opened,
            "draining": sessions.draining,
            "pending": meter.pending,
            "steps": meter.steps.lanes,
            "resets": meter.resets.lanes,
            # JSON has no infinity: null is beyond the last bucket, or before the first step.
            "step_seconds": {
                name: None if found is None or found > 1e9 else found
                for name, part in (("p50", 0.5), ("p99", 0.99))
                for found in (meter.steps.quantile(part),)
            },
            "failures": meter.failures,
            "list": [_row(session, now) for session in sessions.listed()],
        }

    async def _picture(self, request: Request) -> Response:
        if (refusal := self._refusal()) is not None:
            return refusal
        number = request.path_params["number"]
        session = next((one for one in self._sessions.listed() if one.number == number), None)
        if session is None:
            return JSONResponse({"detail": f"There is no session {number}, or no longer."}, 404)
        drawn = session.picture()
        if drawn is None:
            return Response(status_code=204)
        done, _ = await asyncio.wait({drawn}, timeout=_PICTURE_LIMIT)
        if not done:
            return JSONResponse({"detail": f"Session {number} is busy with a long request."}, 503)
        picture = drawn.result()
        if isinstance(picture, OpenEnvGymError):
            return JSONResponse({"detail": message_of(picture)}, 409)
        headers = {"Cache-Control": "no-store"}
        if isinstance(picture, list):
            picture = _together(picture)
        if picture is None:
            return Response(status_code=204)
        if isinstance(picture, str):
            return Response(picture, media_type="text/plain", headers=headers)
        return Response(png(picture), media_type="image/png", headers=headers)


def _together(pictures: list[Any]) -> Any:
    """Return the pictures of lanes as one, in rows; their texts one after the other."""
    pictures = pictures[:_MOST_LANES]
    if any(picture is None for picture in pictures):
        return None
    if isinstance(pictures[0], str):
        return "\n\n".join(f"lane {lane}\n{text}" for lane, text in enumerate(pictures))
    columns = math.ceil(math.sqrt(len(pictures)))
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    rows = math.ceil(len(pictures) / columns)
    whole = np.zeros((rows * height, columns * width, 3), np.uint8)
    for lane, picture in enumerate(pictures):
        top, left = lane // columns * height, lane % columns * width
        whole[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return whole


def _row(session: AttachedSession, now: float) -> dict[str, Any]:
    """Return what is shown of a session; its id is a secret of its client's."""
    return {
        "number": session.number,
        "lanes": session.lanes,
        "seconds": now - session.began,
        "idle": now - session.used,
        "state": "ending" if session.ending else "busy" if session.busy else "waiting",
        "steps": session.steps,
        "step_seconds": session.seconds * session.lanes / session.steps if session.steps else None,
        "failures": session.failures,
    }
