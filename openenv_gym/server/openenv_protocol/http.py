"""The HTTP routes of OpenEnv's protocol, with a session for each client."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openenv_gym.errors import OpenEnvGymError, OptionError, SessionLostError
from openenv_gym.server.exchange import CarryOut
from openenv_gym.server.http import body_of, too_large
from openenv_gym.server.openenv_protocol import mcp, openapi
from openenv_gym.server.openenv_protocol.exchange import (
    BODY,
    PAGE_BODY,
    carrier,
    error_body,
    written,
)
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.server.openenv_protocol.problems import problems_of
from openenv_gym.server.openenv_protocol.requests import (
    ResetData,
    SplitRequest,
    StepData,
    TaskRangeRequest,
    TaskRequest,
)
from openenv_gym.server.operations import CLOSING, unready
from openenv_gym.wire import messages
from openenv_gym.wire.names import (
    CONFIG_PATH,
    HEALTH_PATH,
    MCP_PATH,
    MCP_SESSION_HEADER,
    METADATA_PATH,
    NOT_FINITE_HEADER,
    OPENAPI_PATH,
    RESET_PATH,
    SCHEMA_PATH,
    SESSION_COOKIE,
    SESSION_HEADER,
    STATE_PATH,
    STEP_PATH,
)

ModelT = TypeVar("ModelT", bound=BaseModel)
Endpoint = Callable[[Request], Awaitable[Response]]

_HEADER = SESSION_HEADER.lower()

_NO_SESSION = (
    f"This request names no session. POST /reset begins one, and its reply names it in the cookie "
    f"{SESSION_COOKIE!r} and the header {SESSION_HEADER!r}: send one of them back with each "
    "further request. (A client that keeps cookies does: curl with -b and -c, requests.Session.)"
)


class _TaskRoute(NamedTuple):
    """A route of tasks.

    Attributes:
        method: Of HTTP.
        subject: The method of a provider of tasks that it stands for.
        body: What it takes.
        key: Under which the answer stands; None where it is the answer itself.
    """

    method: str
    subject: str
    body: type[BaseModel] | None
    key: str | None


_TASKS = {
    "splits": _TaskRoute("GET", "list_splits", None, None),
    "tasks": _TaskRoute("POST", "list_tasks", SplitRequest, "tasks"),
    "num_tasks": _TaskRoute("POST", "num_tasks", SplitRequest, "num_tasks"),
    "task": _TaskRoute("POST", "get_task", TaskRequest, "task"),
    "task_range": _TaskRoute("POST", "get_task_range", TaskRangeRequest, "tasks"),
}
"""Routes of tasks, by the end of their path."""


class _Refused(Exception):  # noqa: N818  # a response, raised
    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


class OpenEnvRoutes:
    """The routes.

    Args:
        lobby: Where sessions begin.
        info: Of the OpenAPI document: title, summary, description.
        open_to_all: Whoever may read the OpenAPI document may use the server, and have an
            environment made.
    """

    def __init__(self, lobby: Lobby, info: dict[str, Any], *, open_to_all: bool) -> None:
        self._lobby = lobby
        self._info = info
        self._open_to_all = open_to_all

    def routes(self) -> list[Route]:
        """All of them."""
        reported: tuple[tuple[str, str, Endpoint], ...] = (
            ("POST", RESET_PATH, self._reset),
            ("POST", STEP_PATH, self._step),
            ("GET", STATE_PATH, self._state),
            ("POST,DELETE", MCP_PATH, self._mcp),  # one route, whose 405 names both
            ("GET", SCHEMA_PATH, self._schema),
            ("GET", METADATA_PATH, self._metadata),
            ("GET", CONFIG_PATH, self._config),
            ("GET", "/list_environments", self._list),
            ("GET", OPENAPI_PATH, self._openapi),
            ("GET", "/docs", self._docs),
            ("GET", "/redoc", self._redoc),
            ("GET", HEALTH_PATH, self._health),
        )
        tasks = ((route.method, f"/{{name}}/{kind}", self._tasks) for kind, route in _TASKS.items())
        return [
            Route(path, answering(endpoint), methods=methods.split(","))
            for methods, path, endpoint in (*reported, *tasks)
        ]

    async def _reset(self, request: Request) -> Response:
        asked = await _read(request, ResetData)
        id = self._session(request)
        if id is None:
            id = await self._lobby.open()
        response = await self._ask(request, id, asked.request())
        response.set_cookie(SESSION_COOKIE, id, httponly=True, samesite="lax")
        response.headers[_HEADER] = id
        return response

    async def _step(self, request: Request) -> Response:
        asked = await _read(request, StepData)
        step = messages.Step(asked.action)
        return await self._ask(request, self.session_of(request), step)

    async def _state(self, request: Request) -> Response:
        return await self._ask(request, self.session_of(request), messages.GetState())

    def _session(self, request: Request) -> str | None:
        """The id of the client's session, if it has one.

        Raises:
            SessionLostError: It had one.
        """
        id = request.headers.get(_HEADER)
        if id is not None:
            if not self._lobby.sessions.has(id):
                raise self._lobby.sessions.lost()
            return id
        id = request.cookies.get(SESSION_COOKIE)
        # A browser keeps the cookie of a session that is over.
        return id if id and self._lobby.sessions.has(id) else None

    def session_of(self, request: Request) -> str:
        """The id of the client's session; where it has none the response says so."""
        id = self._session(request)
        if id is not None:
            return id
        if SESSION_COOKIE in request.cookies:
            raise self._lobby.sessions.lost()
        raise _Refused(JSONResponse({"detail": _NO_SESSION, "code": "SESSION_ERROR"}, 400))

    async def _ask(self, asked: Request, id: str, request: messages.Request) -> Response:
        carry_out = PAGE_BODY if NOT_FINITE_HEADER in asked.headers else BODY
        status, body = await self.reply(id, request, carry_out)
        return Response(body, status, media_type="application/json")

    async def reply(self, id: str, request: messages.Request, carry_out: CarryOut) -> Any:
        """Return what ``carry_out`` gives for a request to a session.

        Raises:
            SessionLostError: There is no such session, or no longer.
        """
        return await self._lobby.ask(id, request, carry_out)

    async def _mcp(self, request: Request) -> Response:
        if request.method == "DELETE":
            return await self._mcp_end(request)
        session = request.headers.get(MCP_SESSION_HEADER)
        if session is not None and not self._lobby.sessions.has(session):
            return JSONResponse(mcp.refusal(self._lobby.sessions.lost()), 404)
        caller = mcp.Caller(session, is_mcp=session is not None)
        reply = await mcp.answer_bytes(self._lobby, await _body(request), caller)
        if reply is None:
            return Response(status_code=202)
        named = {MCP_SESSION_HEADER: caller.session} if caller.is_mcp and caller.session else {}
        return JSONResponse(reply, headers=named)

    async def _mcp_end(self, request: Request) -> Response:
        """End a session of MCP, as its client asks for."""
        session = request.headers.get(MCP_SESSION_HEADER, "")
        try:
            self._lobby.sessions.leave(session)
        except SessionLostError as error:
            return JSONResponse(mcp.refusal(error), 404)
        return Response(status_code=204)

    async def _schema(self, request: Request) -> Response:
        found = await self._lobby.description()
        return JSONResponse(
            {
                "action": found.action_space,
                "observation": found.observation_space,
                "state": found.state_schema,
                "reset_observation": found.observation_space,
            }
        )

    async def _metadata(self, request: Request) -> Response:
        return JSONResponse(await self._lobby.about())

    async def _config(self, request: Request) -> Response:
        config = (await self._lobby.description()).config
        if config is None:
            return JSONResponse({"detail": "Not Found"}, 404)
        return Response(written(config), media_type="application/json")

    async def _list(self, request: Request) -> Response:
        return JSONResponse([self._lobby.entry.name])

    async def _tasks(self, request: Request) -> Response:
        """Answer as openenv's own server, of an environment that is made for the question."""
        name, kind = request.path_params["name"], request.url.path.rpartition("/")[2]
        if name.lower() != self._lobby.entry.name.lower():
            return JSONResponse({"detail": f"unknown environment {name!r}"}, 404)
        route = _TASKS[kind]
        asked = {} if route.body is None else dict(await _read(request, route.body))
        id = await self._lobby.open()
        try:
            answer = await self.reply(id, messages.Query(route.subject, asked), _ANSWER)
        finally:
            self._lobby.sessions.leave(id)
        if isinstance(answer, OptionError):
            status = 501 if "unsupported" in answer.fields else 400
            return JSONResponse({"detail": str(answer)}, status)
        if isinstance(answer, OpenEnvGymError):
            raise answer
        body = answer if route.key is None else {route.key: answer}
        if kind == "tasks":
            body["env_name"] = self._lobby.entry.name
        return JSONResponse(body)

    async def _health(self, request: Request) -> Response:
        if self._lobby.sessions.draining:
            return unready(CLOSING)
        return JSONResponse({"status": "healthy"})

    async def _openapi(self, request: Request) -> Response:
        found = self._lobby.known
        if found is None and self._open_to_all:
            # Else it says no more than that there are actions and observations.
            with contextlib.suppress(OpenEnvGymError):
                found = await self._lobby.description()
        document = openapi.document(self._info, found)
        root = request.scope.get("root_path", "")
        return JSONResponse({**document, "servers": [{"url": root}]} if root else document)

    async def _docs(self, request: Request) -> Response:
        from fastapi.openapi.docs import get_swagger_ui_html  # takes long to load

        return get_swagger_ui_html(**self._shown(request))

    async def _redoc(self, request: Request) -> Response:
        from fastapi.openapi.docs import get_redoc_html

        return get_redoc_html(**self._shown(request))

    def _shown(self, request: Request) -> dict[str, Any]:
        """What a page of the OpenAPI document shows."""
        root = request.scope.get("root_path", "")
        return {"openapi_url": root + OPENAPI_PATH, "title": str(self._info["title"])}


def _value(reply: messages.Reply) -> Any:
    assert isinstance(reply, messages.Answer), "it answers a question"
    return reply.value


_ANSWER = carrier(_value, lambda error: error)


def answering(endpoint: Endpoint) -> Endpoint:
    """The endpoint, whose errors are responses."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except _Refused as refused:
            return refused.response
        except OpenEnvGymError as error:
            status, body = error_body(error)
            return Response(body, status, media_type="application/json")

    return answer


async def _body(request: Request) -> bytes:
    refusal = too_large(dict(request.scope["headers"]))
    if refusal is not None:
        raise _Refused(refusal)
    data = await body_of(request.receive)
    if data is None:
        raise _Refused(Response(status_code=400))  # the client hung up: nobody will read it
    refusal = too_large({b"content-length": b"%d" % len(data)})  # it did not say so
    if refusal is not None:
        raise _Refused(refusal)
    return data


async def _read(request: Request, model: type[ModelT]) -> ModelT:
    """The body as a model; an empty one as an empty object."""
    data = await _body(request)
    try:
        return model.model_validate(_object(request, data) if data else {})
    except ValidationError as error:
        problems = problems_of(error)
        for problem in problems:
            problem["loc"] = ("body", *problem["loc"])
        raise _Refused(_unprocessable(problems)) from error


def _object(request: Request, data: bytes) -> Any:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given != "application/json" and not given.endswith("+json"):
        message = "The body is JSON: send Content-Type: application/json"
        raise _Refused(_unprocessable([{"type": "content_type", "loc": ["body"], "msg": message}]))
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        place = getattr(error, "pos", 0)
        problem = {
            "type": "json_invalid",
            "loc": ["body", place],
            "msg": "JSON decode error",
            "input": {},
            "ctx": {"error": getattr(error, "msg", str(error))},
        }
        raise _Refused(_unprocessable([problem])) from error


def _unprocessable(problems: list[dict[str, Any]]) -> Response:
    # ASCII, since a client may have sent what is not Unicode text.
    body = json.dumps({"detail": problems})
    return Response(body, 422, media_type="application/json")
