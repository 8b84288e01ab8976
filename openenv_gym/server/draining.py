"""The end of a network server: after SIGTERM its sessions may go on for a while."""

from __future__ import annotations

import asyncio
import signal
import socket
from time import monotonic
from types import FrameType

import uvicorn

from openenv_gym.server.sessions import Sessions
from openenv_gym.server.watcher import expect_end, unwatch_signals, watch_signals

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LINGER = 1.0  # seconds in which clients that ask learn that the server is ending
_GRACE_AT_ONCE = 1  # seconds that running requests get after a second signal
_END_LIMIT = 20  # seconds that the end may take, after the sessions'


class DrainingServer(uvicorn.Server):
    """Uvicorn's server, which drains.

    After SIGTERM it takes no new sessions, and ``/health`` and ``/ready`` answer 503. It ends when
    it has no sessions any more, or when the time is over: then each client gets the reply that is
    due, and a ServerClosingError to what it asks next. A second signal ends it at once.

    Args:
        config: Uvicorn's.
        sessions: Those of the application.
        drain_timeout: Seconds that sessions may go on; 0: they end at once.
    """

    def __init__(self, config: uvicorn.Config, sessions: Sessions, drain_timeout: float) -> None:
        super().__init__(config)
        self._sessions = sessions
        self._drain_timeout = drain_timeout
        self._signalled = False
        self._drain_end: float | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Implements Server.startup."""
        await super().startup(sockets)
        watch_signals(*_SIGNALS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Implements Server.shutdown."""
        try:
            await super().shutdown(sockets)
        finally:
            unwatch_signals(*_SIGNALS)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Implements Server.handle_exit."""
        drains = sig == signal.SIGTERM and not self._signalled and self._drain_timeout > 0
        if self._signalled:
            self.config.timeout_graceful_shutdown = _GRACE_AT_ONCE
        self._signalled = True
        super().handle_exit(sig, frame)
        if drains:
            self.should_exit = False
            self._sessions.draining = True
            self._drain_end = monotonic() + self._drain_timeout
        expect_end(_END_LIMIT + (self._drain_timeout if drains else 0))

    async def on_tick(self, counter: int) -> bool:
        """Implements Server.on_tick."""
        if self._drain_end is not None and not self.should_exit:
            if not len(self._sessions):
                self.should_exit = True
            elif monotonic() > self._drain_end:
                await self._refuse()
        return await super().on_tick(counter)

    async def _refuse(self) -> None:
        """Have all sessions refuse what they are asked, and let their clients learn of it."""
        self._sessions.refuse_all()
        end = monotonic() + _LINGER
        while monotonic() < end and len(self._sessions) and not self.should_exit:
            await asyncio.sleep(0.05)
        self.should_exit = True
