"""A light client, so that a figure is the server's: games that were recorded, over bare WebSockets.

Games are recorded in this process before anything is measured, with random legal moves; the server
plays the same, since it gets the same seeds and actions. So the client needs nothing of a reply but
its kind and number, of which it looks at each: to decode masks and choose moves cost more than
the server's own part of a step. It sends frames whose mask is zero, which leaves bytes as they are.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import struct
import sys
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import urlsplit

import gymnasium
import numpy as np

from openenv_gym import registry
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.envelope import read_envelope
from openenv_gym.wire.messages import Close, Failure, Open, Request, Reset, Step
from openenv_gym.wire.names import SUBPROTOCOL
from openenv_gym.wire.websocket_frames import WHOLE_BINARY, head

REPLY_LIMIT = 60.0
_GAMES = 32
_NO_MASK = bytes(4)
_PING, _PONG = 0x89, 0x8A  # first bytes of their frames
_Returned = TypeVar("_Returned")


class Game(NamedTuple):
    """A game of random legal moves.

    Attributes:
        seed: Of its reset.
        actions: Until its end.
    """

    seed: int
    actions: list[Any]


def record(environment: str, options: dict[str, Any]) -> list[Game]:
    """Play games of an environment, by its name, in this process."""
    id = registry.environment(environment).id
    assert id is not None, "a bundled environment has one"
    random = np.random.default_rng(0)
    games = []
    with gymnasium.make(id, transport="inprocess", disable_env_checker=True, **options) as env:
        for seed in range(_GAMES):
            _, info = env.reset(seed=seed)
            actions, ended = [], False
            while not ended:
                action = random.choice(np.flatnonzero(info["action_mask"]))
                *_, terminated, truncated, info = env.step(action)
                ended = terminated or truncated
                actions.append(action)
            games.append(Game(seed, actions))
    return games


def run(main: Coroutine[Any, Any, _Returned]) -> _Returned:
    """Run a coroutine, on the event loop that costs least."""
    if sys.platform == "win32":
        return asyncio.run(main)
    import uvloop

    return uvloop.run(main)


class Player(asyncio.Protocol):
    """A session that plays recorded games, on a connection of its own.

    Args:
        games: What it plays, again and again.
        number: Which of them is its first.
    """

    def __init__(self, games: list[Game], number: int) -> None:
        first = number % len(games)
        self._games = itertools.cycle(games[first:] + games[:first])
        self._left: list[Any] = []
        self._sent = 0
        self._received = b""
        self._open = False
        self._transport: Any = None
        self._waiting: asyncio.Future[bytes] | None = None

    @classmethod
    async def connect(cls, url: str, games: list[Game], number: int) -> Self:
        """Connect to a server's WebSocket."""
        player, place = cls(games, number), urlsplit(url)
        assert place.hostname is not None, "the server's own address"
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: player, place.hostname, place.port or 80)
        lines = [
            f"GET {place.path} HTTP/1.1",
            f"Host: {place.netloc}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
            f"Sec-WebSocket-Protocol: {SUBPROTOCOL}",
        ]
        answer = await player._exchange("\r\n".join([*lines, "", ""]).encode())
        if b" 101 " not in answer.partition(b"\r\n")[0]:
            raise ConnectionError(f"the server answered {answer[:200]!r}")
        return player

    async def begin(self, options: dict[str, Any]) -> None:
        """Open the session and begin a game."""
        await self.ask(Open(None, options))
        await self._begin_game()

    async def step(self) -> float:
        """Make a move; return how many seconds it took. After the end a new game begins."""
        request = Step(self._left.pop())
        began = time.perf_counter()
        await self.ask(request)
        spent = time.perf_counter() - began
        if not self._left:
            await self._begin_game()
        return spent

    async def close(self) -> None:
        """Close the session, and hang up."""
        await self.ask(Close())
        self._transport.close()

    async def ask(self, request: Request) -> None:
        """Send a request, and wait for its reply.

        Raises:
            OpenEnvGymError: It failed.
        """
        self._sent += 1
        request.id = self._sent
        data = encode(request)
        reply = await self._exchange(head(len(data), _NO_MASK) + data)
        found = read_envelope(reply)
        if issubclass(found.kind, Failure):
            failure: Any = decode(reply)
            raise failure.error()
        if found.id != self._sent:
            raise ConnectionError(f"reply {found.id} came to request {self._sent}")

    async def _begin_game(self) -> None:
        game = next(self._games)
        self._left = game.actions[::-1]
        await self.ask(Reset(game.seed))

    async def _exchange(self, data: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        self._transport.write(data)
        limit = loop.call_later(REPLY_LIMIT, self._fail, TimeoutError("no reply in time"))
        try:
            return await self._waiting
        finally:
            limit.cancel()

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)

    def connection_made(self, transport: Any) -> None:
        """Implements BaseProtocol.connection_made."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Implements BaseProtocol.connection_lost."""
        self._fail(ConnectionError(f"the server hung up: {exc}"))

    def data_received(self, data: bytes) -> None:
        """Implements Protocol.data_received: a whole message is the reply."""
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4 if not self._open else 0
        if not self._open and end >= 4:
            self._open = True
            self._deliver(0, end)
        while self._open and (frame := self._frame()) is not None:
            begin, end = frame
            if self._received[0] == WHOLE_BINARY:
                self._deliver(begin, end)
            elif self._received[0] == _PING:
                pong = bytes((_PONG, 0x80 | end - begin)) + _NO_MASK + self._received[begin:end]
                self._transport.write(pong)
                self._received = self._received[end:]
            else:
                self._fail(ConnectionError(f"a frame that is not a reply: {self._received[:99]!r}"))
                return

    def _frame(self) -> tuple[int, int] | None:
        """Return where the message of the first frame begins and ends, if all of it is there."""
        received = self._received
        if len(received) < 2:
            return None
        size, begin = received[1], 2
        if size > 125:
            begin, form = (4, "!H") if size == 126 else (10, "!Q")
            if len(received) < begin:
                return None
            (size,) = struct.unpack_from(form, received, 2)
        return (begin, begin + size) if len(received) >= begin + size else None

    def _deliver(self, begin: int, end: int) -> None:
        message, self._received = self._received[begin:end], self._received[end:]
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(message)


def cpu_seconds(pid: int) -> float:
    """Return what a process and its children have computed so far, in seconds."""
    times: dict[int, tuple[int, float]] = {}
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            try:
                with open(f"{entry.path}/stat") as stat:
                    fields = stat.read().rpartition(")")[2].split()
            except OSError:  # it ended
                continue
            spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            times[int(entry.name)] = int(fields[1]), spent
    family = {pid}
    while more := {each for each, (parent, _) in times.items() if parent in family} - family:
        family |= more
    return sum(times[each][1] for each in family if each in times)
