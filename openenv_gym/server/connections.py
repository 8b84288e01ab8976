"""Connections of a network server, and how much strangers among them may take.

A client is a stranger until it uses a session. What strangers hold and cost is bounded, whatever
they send: so many connections, so many bytes, so much time until a request is complete, and where
sessions are stepping a small share of the event loop's time. Clients that have a session come on
top of that, so they find the server as if they were alone.
"""

from __future__ import annotations

import asyncio
import resource
import ssl
from collections import Counter, deque
from collections.abc import Callable
from math import inf
from time import perf_counter
from typing import Any

from openenv_gym.server.sessions import Sessions

KEY = "openenv_gym.connection"
"""Where a scope's state has the :class:`Connection`, if the server was started by us."""

FIRST_REQUEST = 10.0
"""Seconds until a stranger's request must be complete, and between two of them."""

STRANGER_BYTES = 1 << 20
"""Bytes of one request of a stranger: making an environment takes some hundred."""

_ALL_BYTES = 16 << 20  # of the requests of all strangers that are not complete
_SOFT, _HARD = 256, 512  # strangers: at the first limit the oldest go, if they are slow
_SLOW = 1.0  # seconds after which a stranger is
_SHARE = 0.1  # of the time, where sessions are stepping
_BURST = 0.2  # seconds of whose share is saved up
_MOST = 0.02  # seconds that one request is taken to cost at most: the rest is waiting
_ACCEPTED = 0.0001  # seconds that a connection costs


class Connections:
    """The connections of one server.

    Args:
        protocol: Makes uvicorn's protocol for one of them.
        sessions: The server's; None where these are not known.
        tls: Encrypts them.
    """

    def __init__(
        self,
        protocol: Callable[..., asyncio.Protocol],
        sessions: Sessions | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._protocol = protocol
        self.sessions = sessions
        self.tls = tls
        files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._soft, self._hard = min(_SOFT, files // 4), min(_HARD, files // 2)
        self._strangers: dict[Connection, None] = {}  # the oldest first
        self._waiting: deque[tuple[Connection, bytes]] = deque()
        self._free_at = 0.0  # when strangers may take time again
        self._draining: asyncio.TimerHandle | None = None
        self._sweeping: asyncio.TimerHandle | None = None

    def __call__(self, **arguments: Any) -> Connection:
        """Return the protocol for a new connection, with the arguments of uvicorn's own."""
        loop: asyncio.AbstractEventLoop = arguments["_loop"] or asyncio.get_running_loop()
        connection = Connection(self, loop)
        state = {**arguments.pop("app_state"), KEY: connection}
        connection.inner = self._protocol(**arguments, app_state=state)
        return connection

    def admit(self, stranger: Connection) -> None:
        """Count a new connection, and hang up others if there are too many."""
        self.charge(_ACCEPTED)
        if len(self._strangers) >= self._soft:
            self._make_room(stranger)
        self._strangers[stranger] = None
        if self._sweeping is None:
            self._sweeping = stranger.loop.call_later(1.0, self._sweep, stranger.loop)

    def _make_room(self, newcomer: Connection) -> None:
        """Hang up the oldest of the address that has the most, or the newcomer."""
        now = newcomer.loop.time()
        idle = [other for other in self._strangers if other.deadline < inf]
        if len(self._strangers) < self._hard:
            idle = [other for other in idle if now - other.since > _SLOW]
        if idle:
            counts = Counter(other.address for other in idle)
            address, _ = counts.most_common(1)[0]
            self.forget(oldest := next(other for other in idle if other.address == address))
            oldest.abort()
        elif len(self._strangers) >= self._hard:
            newcomer.abort()

    def forget(self, connection: Connection) -> None:
        """Take a connection off the list of strangers."""
        self._strangers.pop(connection, None)

    def welcome(self, connection: Connection) -> None:
        """Take a connection off the list, whose client is known now, and what waits of it."""
        self.forget(connection)
        waiting = [data for other, data in self._waiting if other is connection]
        if waiting:
            self._waiting = deque(item for item in self._waiting if item[0] is not connection)
            connection.feed(b"".join(waiting))
            connection.resume()

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Hang up strangers whose time is over."""
        now = loop.time()
        for stranger in [other for other in self._strangers if other.deadline < now]:
            self.forget(stranger)
            stranger.abort()
        self._sweeping = loop.call_later(1.0, self._sweep, loop) if self._strangers else None

    def take(self, stranger: Connection, data: bytes) -> None:
        """Have the protocol take a stranger's bytes, as soon as there is time for that."""
        if not self._has_room(stranger, len(data)):
            return
        if self._waiting or perf_counter() < self._free_at:
            stranger.pause()
            self._waiting.append((stranger, data))
            self._come_back(stranger.loop)
        else:
            self._work(stranger, data)

    def _has_room(self, stranger: Connection, size: int) -> bool:
        stranger.size += size
        if stranger.size > STRANGER_BYTES:
            stranger.abort()
            return False
        if size > 1024 and sum(other.size for other in self._strangers) > _ALL_BYTES:
            largest = max(self._strangers, key=lambda other: other.size)
            self.forget(largest)
            largest.abort()
            return largest is not stranger
        return True

    def _work(self, stranger: Connection, data: bytes) -> None:
        began = perf_counter()
        stranger.feed(data)
        self.charge(perf_counter() - began)

    def charge(self, seconds: float) -> None:
        """Note that strangers took so much of the event loop's time."""
        now = perf_counter()
        stepping = self.sessions is None or self.sessions.stepping()
        cost = min(seconds, _MOST) / (_SHARE if stepping else 1.0)
        self._free_at = max(self._free_at, now - _BURST) + cost

    def _come_back(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._draining is None:
            pause = max(self._free_at - perf_counter(), 0.0)
            self._draining = loop.call_later(pause, self._drain, loop)

    def _drain(self, loop: asyncio.AbstractEventLoop) -> None:
        self._draining = None
        while self._waiting and perf_counter() >= self._free_at:
            stranger, data = self._waiting.popleft()
            self._work(stranger, data)
            stranger.resume()
        if self._waiting:
            self._come_back(loop)


class Connection(asyncio.Protocol):
    """One connection: before uvicorn's protocol for HTTP, to which it passes all on.

    For a session it is the line that the session is attached to, where nothing is between the two
    ends: its end is then that of the client.

    Attributes:
        inner: Uvicorn's protocol.
        known: The client uses a session.
        direct: There is no proxy between the client and this server.
        session: The id of the session that is attached to it.
        address: Where it comes from.
        since: When it was made, by the loop's clock.
        deadline: When a stranger is hung up; never while its request is carried out.
        size: Bytes of a stranger's request so far.
    """

    inner: asyncio.Protocol

    def __init__(self, connections: Connections, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._connections = connections
        self._transport: Any = None
        self._ready = False
        self._early = b""
        self._left = False
        self._securing: asyncio.Task[None] | None = None
        self.known = False
        self.direct = False
        self.session: str | None = None
        self.peer = ""
        self.address = ""
        self.since = loop.time()
        self.deadline = self.since + FIRST_REQUEST
        self.size = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Implements Protocol.connection_made."""
        self._transport = transport
        peer = transport.get_extra_info("peername")
        if isinstance(peer, tuple):
            self.address, self.peer = peer[0], f"{peer[0]}:{peer[1]}"
        self._connections.admit(self)
        context = self._connections.tls
        if context is None:
            self._begin()
        else:
            self.pause()
            self._securing = self.loop.create_task(self._secure(context))

    async def _secure(self, context: ssl.SSLContext) -> None:
        """Encrypt the connection: here, so that a stranger's handshake has our limits too."""
        raw = self._transport
        handshake = asyncio.ensure_future(
            self.loop.start_tls(
                *(raw, self, context), server_side=True, ssl_handshake_timeout=FIRST_REQUEST
            )
        )
        await asyncio.sleep(0)  # the bytes are another protocol's now,
        await asyncio.sleep(0)  # which is ready for them
        early, self._early = self._early, b""
        if early and not handshake.done():
            _feed(raw.get_protocol(), early)
        try:
            secured = await handshake
        except OSError:
            secured = None
        if secured is None:
            self._connections.forget(self)
            raw.abort()
            return
        self._transport = secured
        self._begin()

    def _begin(self) -> None:
        self.inner.connection_made(self._transport)
        self._ready = True
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def data_received(self, data: bytes) -> None:
        """Implements Protocol.data_received."""
        if self.known:
            self.inner.data_received(data)
        elif self._ready:
            self._connections.take(self, data)
        else:
            self._early += data

    def feed(self, data: bytes) -> None:
        """Pass bytes of a stranger on."""
        if not self._transport.is_closing():
            self.inner.data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Implements Protocol.connection_lost."""
        self._connections.forget(self)
        if self._ready:
            self.inner.connection_lost(exc)
        sessions = self._connections.sessions
        if self.session is not None and sessions is not None and (self._left or exc is not None):
            sessions.detach(self.session, self, gone=True)

    def eof_received(self) -> bool | None:
        """Implements Protocol.eof_received."""
        self._left = True
        return self.inner.eof_received() if self._ready else None

    def pause_writing(self) -> None:
        """Implements Protocol.pause_writing."""
        if self._ready:
            self.inner.pause_writing()

    def resume_writing(self) -> None:
        """Implements Protocol.resume_writing."""
        if self._ready:
            self.inner.resume_writing()

    def pause(self) -> None:
        """Read no more for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def abort(self) -> None:
        """Hang up at once."""
        self._transport.abort()

    def hang_up(self, reason: str) -> None:
        """Implements Line.hang_up."""
        self.session = None
        self._transport.close()

    def carry(self, session: str) -> Connection | None:
        """Return this line for a session, if nothing is between the two ends; else None."""
        if not self.direct:
            return None
        self.session = session
        return self

    def welcome(self) -> None:
        """Note that the client uses a session: it is a stranger no longer."""
        if not self.known:
            self.known = True
            self._connections.welcome(self)

    def working(self) -> None:
        """Note that a stranger's request is complete, and carried out from now on."""
        self.deadline = inf

    def answered(self, seconds: float) -> None:
        """Note that a stranger's request is answered, and what it cost."""
        self._connections.charge(seconds)
        self.size = 0
        self.deadline = self.loop.time() + FIRST_REQUEST


def _feed(protocol: Any, data: bytes) -> None:
    """Give a protocol bytes, as a transport does."""
    if not hasattr(protocol, "get_buffer"):
        protocol.data_received(data)
        return
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        part = data[: len(buffer)]
        buffer[: len(part)] = part
        protocol.buffer_updated(len(part))
        data = data[len(part) :]
