"""What a connection says, also while a reply is in the making."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Scope = MutableMapping[str, Any]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Deliver = Callable[[bytes], None]
"""Takes the reply to a message."""

Answer = Callable[[Any, Deliver], bool]
"""Takes a binary message, and delivers its reply, now or later; False where it takes none, so that
the application must get the message itself."""

ANSWER_FRAMES = "openenv_gym.frames"
"""An ASGI extension of a WebSocket: a function that takes an :data:`Answer`, once accepted."""

_PATIENCE = 0.5  # seconds until it pays to watch whether the client still waits
_BACKLOG = 64  # messages of a client that does not wait for the replies


def until_closed(send: Send) -> Send:
    """Return ``send`` as one for which a connection that the client has left is one that broke.

    That is an OSError. uvicorn has a RuntimeError for a message that the state of the connection
    does not allow, and so where the client left before it was accepted.
    """

    async def send_or_fail(message: Event) -> None:
        try:
            await send(message)
        except RuntimeError as error:
            raise ConnectionResetError("the client has left the connection") from error

    return send_or_fail


class Events:
    """The events of one ASGI connection, in order.

    Args:
        receive: ASGI's.
        pipelined: The client may send requests before it has the replies to those before. When
            many wait, no more are received meanwhile; else such a client is taken for gone.
    """

    def __init__(self, receive: Receive, *, pipelined: bool = False) -> None:
        self._receive = receive
        self._pipelined = pipelined
        self._early: deque[Event] = deque()
        self._task: asyncio.Future[Event] | None = None

    async def next(self) -> Event:
        """The next event."""
        if self._early:
            return self._early.popleft()
        if self._task is None:
            return await self._receive()
        task, self._task = self._task, None
        return await task

    async def outlast(self, reply: asyncio.Future[Any]) -> bool:
        """Waits for a reply as long as the client does.

        Args:
            reply: Its future; it is not cancelled.

        Returns:
            The reply is there; else the client is gone.
        """
        await asyncio.wait({reply}, timeout=_PATIENCE)
        while not reply.done():
            if self._pipelined and len(self._early) > _BACKLOG:
                await asyncio.wait({reply})
                return True
            if self._task is None:
                self._task = asyncio.ensure_future(self._receive())
            both: set[asyncio.Future[Any]] = {reply, self._task}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            if self._task.done():
                event, self._task = self._task.result(), None
                self._early.append(event)
                gone = event["type"].endswith(".disconnect")
                if gone or len(self._early) > _BACKLOG:
                    return False
        return True

    def close(self) -> None:
        """Receives no more."""
        if self._task is not None:
            self._task.cancel()
