"""Clients in a program that has an event loop.

::

    async with EchoEnv.aio(base_url="http://localhost:8000") as env:
        await env.reset()
        result = await env.step(EchoAction(message="Hello!"))

It is the same client, with the same session: its calls are made on a thread of its own, so that
many episodes can go on side by side while a language model thinks.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from openenv_gym.errors import EpisodeError

ClientT = TypeVar("ClientT")
T = TypeVar("T")


class AsyncClient(Generic[ClientT]):
    """A client whose methods are awaited; its calls are carried out one after the other.

    Args:
        make: Makes the client: its class, or a method such as ``EchoEnv.from_docker_image``.
        *arguments: Arguments of ``make``.
        **keywords: Keywords of ``make``.

    Attributes:
        client: The client; None until it is connected.
    """

    def __init__(self, make: Callable[..., ClientT], *arguments: Any, **keywords: Any) -> None:
        self._make: Callable[[], ClientT] = lambda: make(*arguments, **keywords)
        self.client: ClientT | None = None
        self._closed = False
        self._thread = ThreadPoolExecutor(1, "async client")

    async def connect(self) -> Self:
        """Connect to the environment, unless that was done before."""
        await self._run(self._connected)
        return self

    async def reset(
        self, seed: int | None = None, episode_id: str | None = None, **options: Any
    ) -> Any:
        """Begin an episode; as the client's own method."""
        return await self._call("reset", seed=seed, episode_id=episode_id, **options)

    async def step(self, action: Any) -> Any:
        """Carry out an action; as the client's own method."""
        return await self._call("step", action)

    async def state(self) -> Any:
        """Return the state; as the client's own method."""
        return await self._call("state")

    async def list_tools(self) -> Any:
        """Return the tools that there are now; as the client's own method."""
        return await self._call("list_tools")

    async def call_tool(self, name: str, /, **arguments: Any) -> Any:
        """Call a tool; as the client's own method."""
        return await self._run(lambda: self._connected().call_tool(name, **arguments))

    async def close(self) -> None:
        """End what was started for the client; a second call does nothing."""
        client: Any = self.client
        if client is not None and not self._closed:
            await self._run(client.close)
        self._closed = True
        self._thread.shutdown(wait=False)

    async def _call(self, method: str, *arguments: Any, **keywords: Any) -> Any:
        return await self._run(lambda: getattr(self._connected(), method)(*arguments, **keywords))

    def _connected(self) -> Any:
        """Return the client, which is made first if need be; on its thread."""
        if self.client is None:
            self.client = self._make()
        return self.client

    async def _run(self, call: Callable[[], T]) -> T:
        """Return what a call returns, which is made on the client's thread."""
        if self._closed:
            raise EpisodeError("The client is closed: make a new one.")
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    async def __aenter__(self) -> Self:
        return await self.connect()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()
