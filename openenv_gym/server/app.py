"""The application that serves an environment for the network, to run or to mount.

What :func:`create_app` makes for others is FastAPI, which they may add to. No route of ours needs
it, and to load it takes a third of a server's start: ``openenv-gym serve`` runs the same in
Starlette.
"""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from openenv_gym.errors import RegistryError, missing_package
from openenv_gym.wire.names import (
    CONTENT_TYPE,
    EXCHANGE_PATH,
    MCP_PATH,
    SESSION_COOKIE,
    SESSION_HEADER,
    SUBPROTOCOL,
    WEBSOCKET_PATH,
)

try:
    from starlette.applications import Starlette
except ImportError as error:
    raise missing_package("Serving for the network", str(error.name), "server") from error
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, WebSocketRoute

from openenv_gym import registry
from openenv_gym.env.keywords import form_and_options
from openenv_gym.registry import Entry
from openenv_gym.server import http, websocket
from openenv_gym.server.backend import IN_THE_SERVER, BackendSettings
from openenv_gym.server.doorkeeper import Doorkeeper
from openenv_gym.server.guard import Guard
from openenv_gym.server.openenv_protocol.http import OpenEnvRoutes
from openenv_gym.server.openenv_protocol.lobby import Lobby
from openenv_gym.server.openenv_protocol.websocket import OpenEnvWebSocket, RpcWebSocket
from openenv_gym.server.operations import operations
from openenv_gym.server.process import check_alone
from openenv_gym.server.sessions import Sessions
from openenv_gym.server.web import Dashboard, WebRoutes
from openenv_gym.wire.token import sendable_token

if TYPE_CHECKING:
    from fastapi import FastAPI

AppT = TypeVar("AppT", bound=Starlette)

_DESCRIPTION = f"""
Serves sessions of the environment **{{name}}**. In Python:

    import gymnasium, openenv_gym
    env = gymnasium.make("{{id}}", transport="websocket", url="ws://HOST:PORT")
    env = gymnasium.make("{{id}}", transport="http", url="http://HOST:PORT")

These use the WebSocket `{WEBSOCKET_PATH}` (subprotocol `{SUBPROTOCOL}`) and
`POST {EXCHANGE_PATH}` (content type `{CONTENT_TYPE}`), whose messages are not for the eye.

Clients and tools of OpenEnv speak its own protocol here:

    from openenv.core import GenericEnvClient
    client = GenericEnvClient(base_url="http://HOST:PORT").sync()

That is the WebSocket `{WEBSOCKET_PATH}` without a subprotocol, and the routes below. Over HTTP
each client has a session of its own, which its first `POST /reset` begins: the reply names it in
the cookie `{SESSION_COOKIE}` and the header `{SESSION_HEADER}`, one of which is to come back with
each further request. A session ends when it is idle, or by `openenv/session/close` at `{MCP_PATH}`.

    curl -c jar -b jar -X POST http://HOST:PORT/reset
    curl -c jar -b jar http://HOST:PORT/step --json '{{{{"action": {{{{...}}}}}}}}'
"""


def create_app(
    environment: Any,
    action: type | None = None,
    observation: type | None = None,
    *,
    env_name: str | None = None,
    max_concurrent_envs: int | None = None,
    options: Mapping[str, Any] | None = None,
    max_sessions: int = 64,
    idle_timeout: float | None = 3600.0,
    resume_timeout: float | None = 60.0,
    token: str | None = None,
    debug: bool = False,
    owner: bool = False,
    web: bool = False,
    backend: BackendSettings | str = IN_THE_SERVER,
    allow_hosts: Sequence[str] = (),
) -> FastAPI:
    """Makes the application that serves an environment.

    ``openenv-gym serve`` runs it with the settings that suit it. With another command line, switch
    off WebSocket compression and the ping timeout: a client that thinks for minutes answers no
    pings meanwhile (``uvicorn --ws websockets-sansio --ws-per-message-deflate false
    --ws-ping-timeout 86400``), and use one worker process, since the sessions are in its memory:
    with several it does not start. What strangers may take is bounded by ``openenv-gym serve``
    only: behind another command line put a proxy that limits connections and headers. For https
    and wss give ``openenv-gym serve`` or uvicorn ``--ssl-certfile`` and ``--ssl-keyfile``.

    Args:
        environment: Name, id or ``module:Class`` of the environment; or its class, a function that
            makes one, or an environment, of which each session has a copy. An id that was
            registered here (:func:`~openenv_gym.register_environment`) brings its options and its
            Spaces.
        action: The action model, where the class of the environment does not name it.
        observation: Likewise the observation model.
        env_name: What the server calls the environment.
        max_concurrent_envs: OpenEnv's word for ``max_sessions``.
        options: Options of the environment, which clients cannot change.
        max_sessions: Sessions at a time.
        idle_timeout: Seconds without a request after which a session ends; None: never.
        resume_timeout: Seconds that a session waits for its client to come back when the
            connection dropped; None: as long as ``idle_timeout`` says.
        token: What clients must send as ``Authorization: Bearer TOKEN``; None: nothing.
        debug: Send clients the texts of the environment's errors; else only the log has them.
        owner: Whoever knows the token is the owner of the server: may set all options, also those
            that name something on its host, and receives the texts of errors.
        web: There is a page at ``/web`` to play the environment by hand.
        backend: Where sessions run: the name of a transport (``"process"``, ``"docker"``), or all
            there is to say of it. By default in the server's own process.
        allow_hosts: Names of this server, such as ``"chess.example.org"``. Without a token it
            answers only under its addresses, under names of its own network, and under these:
            any other may be of a web page that has its name lead here (DNS rebinding).

    Raises:
        MissingDependencyError: FastAPI is not installed.
        RegistryError: There is no such environment.
        OptionError: A limit is invalid, or the token is empty or not one that a client can send.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise missing_package("create_app()", str(error.name), "server") from error
    if token is not None:
        token = sendable_token(token, "token=")
    entry, known_options = served_entry(environment)
    models = {"action": action, "observation": observation}
    named = {side: model for side, model in models.items() if model is not None}
    entry = replace(entry, models={**entry.models, **named}, name=env_name or entry.name)
    sessions = Sessions(
        entry,
        options={**known_options, **(options or {})},
        owner=owner,
        max_sessions=max_concurrent_envs or max_sessions,
        idle_timeout=idle_timeout,
        resume_timeout=resume_timeout,
        reveal=debug or owner,
        backend=BackendSettings(name=backend) if isinstance(backend, str) else backend,
    )
    make = partial(FastAPI, openapi_url=None)  # the routes describe themselves
    return application(make, entry, sessions, token=token, web=web, allow_hosts=allow_hosts)


def application(
    make: Callable[..., AppT],
    entry: Entry,
    sessions: Sessions,
    *,
    token: str | None,
    web: bool,
    allow_hosts: Sequence[str],
) -> AppT:
    """Make the application of sessions.

    Args:
        make: Starlette, or what makes an application as it does.
        entry: What the sessions are of.
        sessions: They end with the application.
        token: As of :func:`create_app`, as are ``web`` and ``allow_hosts``.
        web: See there.
        allow_hosts: See there.
    """

    @asynccontextmanager
    async def lifespan(app: AppT) -> AsyncIterator[None]:
        check_alone(entry.name)
        sessions.start()
        yield
        await sessions.close()

    app = make(lifespan=lifespan, exception_handlers={HTTPException: _refused})
    app.state.sessions = sessions
    face = http.HttpFace(sessions)
    app.add_middleware(http.Shortcut, face=face)
    app.add_middleware(Guard, token=token, hosts=allow_hosts)  # which comes before
    app.add_middleware(Doorkeeper, sessions=sessions)  # and this first of all
    lobby = Lobby(sessions, entry, seen=web)
    info = {
        "title": f"openenv-gym: {entry.name}",
        "summary": entry.summary or entry.name,
        "description": _DESCRIPTION.format(name=entry.name, id=entry.id or entry.name),
    }
    openenv = OpenEnvRoutes(lobby, info, open_to_all=not token)
    app.router.routes += [
        Route(EXCHANGE_PATH, face, methods=["POST"]),
        WebSocketRoute(WEBSOCKET_PATH, websocket.WebSocketFace(sessions, OpenEnvWebSocket(lobby))),
        WebSocketRoute(MCP_PATH, RpcWebSocket(lobby)),
        *openenv.routes(),
        *operations(sessions),
        *(WebRoutes(lobby, openenv).routes() if web else ()),
        *(Dashboard(sessions, has_token=token is not None).routes() if web else ()),
    ]
    return app


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """No such route, or not by this method: as FastAPI answers, and servers of OpenEnv with it."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"detail": error.detail}, error.status_code, error.headers)


def served_entry(environment: Any) -> tuple[Entry, dict[str, Any]]:
    """Return what is to be served, and its options: its own, and those it was registered with."""
    made: Callable[..., Any] | None = None
    if not isinstance(environment, str):
        made = environment
        if not callable(environment):  # an environment that is there already
            made = _copies(environment)
            environment = type(environment)
        try:
            environment = registry.name_of(environment)
        except RegistryError:  # a function within another, which only this process has
            name = getattr(environment, "__qualname__", type(environment).__qualname__)
            return Entry(name, f"{environment.__module__}:{name}", make=made), {}
    known = registry.registered(environment)
    spaces = known.options.pop("spaces", None) or {}
    entry = registry.environment(known.environment)
    form, options = form_and_options(known.options.pop("actions", None), known.options)
    entry = replace(entry, spaces={**entry.spaces, **spaces}, actions=form, make=made)
    return entry, {**entry.options, **options}


def _copies(environment: Any) -> Callable[[], Any]:
    """Return a function that makes copies of an environment."""

    def copied() -> Any:
        return copy.deepcopy(environment)

    return copied
