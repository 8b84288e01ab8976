"""What a transport hands its messages to when its server is of OpenEnv's own make."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from time import perf_counter_ns
from typing import Any

from openenv_gym.errors import ExchangeTimeoutError, OptionError
from openenv_gym.registry import Entry
from openenv_gym.sessions.adapters import Adapter
from openenv_gym.sessions.payload import Conversation
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open, OpenVector, Reply, Request
from openenv_gym.wire.timing import Timing
from openenv_gym_transports.inprocess import InProcessTransport
from openenv_gym_transports.openenv_servers.given import Given
from openenv_gym_transports.openenv_servers.known import KnownHost, known_host
from openenv_gym_transports.openenv_servers.models import known_class
from openenv_gym_transports.openenv_servers.server import Schemas, StockServer
from openenv_gym_transports.openenv_servers.unknown import UnknownHost, unknown_host

Converse = Callable[[bool], Conversation]
"""Begins a conversation with an environment of the server; True if it is known to count steps."""


class StockTransport(InProcessTransport):
    """A session in this process, whose environments are on a server.

    Args:
        server: The server.
        schemas: What it tells of its environments.
        converse: Begins a conversation with one of them.
        given: Spaces that the caller gives.
        timeout: Seconds to wait for a reply; None waits for ever.
        label: What the server calls its environment.
    """

    def __init__(
        self,
        server: StockServer,
        schemas: Schemas,
        converse: Converse,
        given: Given,
        *,
        timeout: float | None,
        label: str,
    ) -> None:
        super().__init__(timeout=timeout)
        self._use(_StockSession(label, make_adapter=self._make_host))
        self._server = server
        self._schemas = schemas
        self._converse = converse
        self._given = given
        self._future: Future[Reply] | None = None
        self._sources: dict[str, str] = {}

    @property
    def space_sources(self) -> dict[str, str]:
        """Implements Transport.space_sources."""
        return dict(self._sources)

    def _make_host(
        self, entry: Entry, options: Mapping[str, Any], render_mode: str | None
    ) -> Adapter:
        if options:
            raise OptionError(
                f"The options {sorted(options)} cannot be set: the server at {self._server.url} is "
                "OpenEnv's own, which has one environment, set up by whoever serves it. Leave them "
                "out; what a reset takes goes into reset(options=...).",
                options=sorted(options),
            )
        if render_mode is not None and not render_mode.endswith("?"):
            raise OptionError(
                f"render_mode={render_mode!r}: the server at {self._server.url} is OpenEnv's own, "
                "which renders nothing. Leave it out.",
                render_mode=render_mode,
            )
        cls = known_class(entry) if entry.target else None
        conversation = self._converse(cls is not None)
        try:
            told, given = self._schemas, self._given
            host: UnknownHost | KnownHost
            if cls is None:
                host = unknown_host(conversation, told, given, self._server.url)
            else:
                host = known_host(cls, conversation, told, given, entry.name)
        except BaseException:
            conversation.close()
            raise
        self._sources = host.sources
        return host

    def _timed(self, request: Request) -> Reply:
        assert self.stopwatch is not None, "open() looked"
        begun = perf_counter_ns()
        reply = self._session.handle(request)
        # The server does not tell how long it took.
        self.stopwatch.last = Timing(0, perf_counter_ns() - begun, 0, 0, 0)
        return reply

    def send(self, request: Request) -> None:
        """Carries the request out on a thread, so that several transports do so side by side."""
        before, future = self._future, Future[Reply]()

        def carry() -> None:
            try:
                if before is not None:
                    wait([before])  # it may have been given up, but its session is this one
                future.set_result(self._session.handle(request))
            except BaseException as error:
                future.set_exception(error)

        self._future = future
        threading.Thread(target=carry, daemon=True, name="stock exchange").start()

    def receive(self, timeout: float | None) -> Reply:
        """Implements Transport.receive."""
        assert self._future is not None, "receive() without send()"
        try:
            return self._future.result(timeout)
        except TimeoutError as error:
            raise ExchangeTimeoutError(
                f"No reply within {timeout} s; timeout= sets the limit.", timeout=timeout
            ) from error

    def ready(self, timeout: float) -> bool:
        """Implements Transport.ready."""
        assert self._future is not None, "ready() without send()"
        return bool(wait([self._future], timeout).done)


class _StockSession(Session):
    """A session whose environment has a name only at the server, if nobody names it here."""

    def __init__(self, label: str, *, make_adapter: Any) -> None:
        super().__init__(make_adapter=make_adapter)
        self._label = label

    def _entry(self, request: Open | OpenVector) -> Entry:
        if request.environment is None and not (self.is_open or self.is_closed):
            return Entry(self._label, "")
        return super()._entry(request)
