"""The link to OpenEnv's own server: a session in this process, with environments on the server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from time import perf_counter_ns
from typing import Any

from openenv_gym.errors import (
    ConnectError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    OptionError,
    UnknownOptionError,
)
from openenv_gym.registry import Entry
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.payload import Conversation
from openenv_gym.sessions.session import Session
from openenv_gym.sessions.tasks import METHODS
from openenv_gym.sessions.tools import ToolAdapter
from openenv_gym.spaces.json.given import Given
from openenv_gym.spaces.tools import calls_tools
from openenv_gym.transport import Link
from openenv_gym.wire.messages import Answer, Open, OpenVector, Query, Reply, Request, StepOutcome
from openenv_gym.wire.timing import Stopwatch, Timing
from openenv_gym_transports.links.server import Server
from openenv_gym_transports.openenv_servers.known import KnownAdapter, make_known_adapter
from openenv_gym_transports.openenv_servers.models import check_variant, known_class
from openenv_gym_transports.openenv_servers.server import OpenEnvServer, Schemas
from openenv_gym_transports.openenv_servers.tools import make_tool_adapter
from openenv_gym_transports.openenv_servers.unknown import SchemaAdapter, make_schema_adapter

Converse = Callable[[bool], Conversation]
"""Begins a conversation with an environment of the server. True: it is known to count steps."""


_TASK_LIMIT = 60.0  # seconds; the server makes an environment for the question


class OpenEnvServerLink(Session):
    """A session in this process, whose environments are on a server.

    Args:
        server: The server, which ends with the link if it was started for it.
        routes: The server's routes.
        schemas: The server's schemas.
        converse: Function that begins a conversation with an environment.
        given: Spaces that the caller gives.
        stopwatch: Times each exchange, if it is set.
    """

    def __init__(
        self,
        server: Server,
        routes: OpenEnvServer,
        schemas: Schemas,
        converse: Converse,
        given: Given,
        *,
        stopwatch: Stopwatch | None,
    ) -> None:
        super().__init__(make_adapter=self._make_adapter)
        self._server = server
        self._routes = routes
        self._url = routes.url
        self._schemas = schemas
        self._converse = converse
        self._given = given
        self._stopwatch = stopwatch
        self._future: Future[Reply] | None = None
        self._sources: dict[str, str] = {}

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements Link.isolation."""
        return self._server.isolation

    @property
    def space_sources(self) -> dict[str, str]:
        """Implements Link.space_sources."""
        return dict(self._sources)

    @property
    def calls_tools(self) -> bool:
        """Whether actions of the server's environment call tools."""
        return calls_tools(self._schemas.action)

    def _query(self, request: Query) -> Answer:
        if request.subject not in METHODS:
            return super()._query(request)
        try:
            answer = self._routes.ask_task(request.subject, request.arguments, _TASK_LIMIT)
        except OSError as error:
            raise ConnectError(
                f"The server at {self._url} did not answer the question for tasks: {error}.",
                url=self._url,
            ) from error
        return Answer(answer)

    def _entry(self, request: Open | OpenVector) -> Entry:
        if request.environment is None and not (self.is_open or self.is_closed):
            # Only the server has a name of it, and would make an environment to say it.
            return Entry(self._url, "", actions=request.actions)
        return super()._entry(request)

    def _make_adapter(
        self, entry: Entry, options: Mapping[str, Any], render_mode: str | None
    ) -> Adapter:
        self._check_options(entry, options)
        if render_mode is not None and not render_mode.endswith("?"):
            raise UnknownOptionError(
                f"render_mode={render_mode!r}: the server at {self._url} is OpenEnv's own, "
                "which cannot render. Leave it out.",
                render_mode=render_mode,
            )
        cls = known_class(entry) if entry.target else None
        conversation = self._converse(cls is not None)
        try:
            schemas, given = self._schemas, self._given
            host: SchemaAdapter | KnownAdapter | ToolAdapter | None = None
            if cls is None:
                host = make_tool_adapter(conversation, schemas, entry.actions)
                host = host or make_schema_adapter(conversation, schemas, given, self._url)
            else:
                host = make_known_adapter(cls, conversation, schemas, given, entry.name)
            check_variant(conversation, options, entry.name)
        except BaseException:
            conversation.close()
            raise
        self._sources = dict(host.sources)
        return host

    def _check_options(self, entry: Entry, options: Mapping[str, Any]) -> None:
        """Check that no options are asked for but those that the id of a variant stands for."""
        if options and options not in entry.variants.values():
            form = "actions= takes 'oneof' or 'json'. " if "actions" in options else ""
            raise OptionError(
                f"The options {sorted(options)} cannot be set: the server at {self._url} is "
                f"OpenEnv's own, whose environment is set up at the server. {form}Leave them out; "
                "options of a reset belong in reset(options=...).",
                options=sorted(options),
            )

    def check_copy(self) -> None:
        """Implements Link.check_copy: what is behind it is not in this process."""
        Link.check_copy(self)

    def exchange(self, request: Request) -> Reply:
        """Implements Link.exchange."""
        begun = perf_counter_ns()
        reply = self.handle(request)
        self._note(begun)
        return reply

    def step(self, action: Any) -> StepOutcome:
        """Implements Link.step."""
        begun = perf_counter_ns()
        outcome = super().step(action)
        self._note(begun)
        return outcome

    def _note(self, begun: int) -> None:
        if self._stopwatch is not None:
            # The server does not report its own time.
            self._stopwatch.last = Timing(0, perf_counter_ns() - begun, 0, 0, 0)

    def send(self, request: Request) -> None:
        """Implements Link.send on a thread, so that several links can send at once."""
        before, future = self._future, Future[Reply]()

        def carry() -> None:
            try:
                if before is not None:
                    wait([before])  # an earlier request may have been given up, but still runs
                future.set_result(self.handle(request))
            except BaseException as error:
                future.set_exception(error)

        self._future = future
        threading.Thread(target=carry, daemon=True, name="openenv server exchange").start()

    def receive(self, timeout: float | None) -> Reply:
        """Implements Link.receive."""
        if self._future is None:
            return super().receive(timeout)
        try:
            return self._future.result(timeout)
        except TimeoutError as error:
            raise ExchangeTimeoutError(
                f"No reply within {timeout} s; timeout= sets the limit.", timeout=timeout
            ) from error

    def ready(self, timeout: float) -> bool:
        """Implements Link.ready."""
        return self._future is None or bool(wait([self._future], timeout).done)

    def close(self) -> None:
        """Implements Link.close."""
        # Errors on the server's side do not matter here.
        with contextlib.suppress(OpenEnvGymError):
            super().close()
        self._server.stop()
