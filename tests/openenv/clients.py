"""openenv's own clients, as functions that :class:`tests.openenv.peers.PeerPython` calls.

Only a peer's process can import this module.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from openenv.core import GenericEnvClient
from openenv.core.containers.runtime.providers import LocalDockerProvider
from openenv.core.mcp_client import MCPToolClient


def _facts(result: Any) -> dict[str, Any]:
    return {
        "observation": result.observation,
        "reward": result.reward,
        "done": result.done,
        "metadata": result.metadata,
    }


def play(url: str, actions: list[Any], reset: dict[str, Any] | None = None) -> dict[str, Any]:
    """One episode with the synchronous client: what each call gave, and the states."""
    with GenericEnvClient(base_url=url).sync() as client:
        results = [_facts(client.reset(**(reset or {})))]
        states = [client.state()]
        for action in actions:
            results.append(_facts(client.step(action)))
            states.append(client.state())
        return {"results": results, "states": states}


def play_episodes(url: str, episodes: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Episodes with one synchronous client: keywords of the reset, and the actions."""
    played = []
    with GenericEnvClient(base_url=url).sync() as client:
        for one in episodes:
            results = [_facts(client.reset(**one["reset"]))]
            results += [_facts(client.step(action)) for action in one["actions"]]
            played.append(results)
    return played


async def call_tool(url: str, name: str) -> dict[str, Any]:
    """Return the tools that a client of MCP lists, and the result of calling one."""
    async with MCPToolClient(base_url=url) as client:
        listed = [tool.name for tool in await client.list_tools()]
        try:
            reported = await client.call_tool(name, message="Hello!")
        except RuntimeError as error:
            return {"listed": listed, "error": str(error)}
        return {"listed": listed, "reported": reported}


async def one_too_many(
    url: str, actions: list[Any], reset: dict[str, Any], limit: int
) -> dict[str, Any]:
    """Episodes with as many clients at once as the server takes, and what it tells one more."""
    reported: list[str] = []

    async def one_more() -> None:
        client = GenericEnvClient(base_url=url)
        try:
            await client.connect()
            await client.reset()
        except RuntimeError as error:
            reported.append(str(error))
        finally:
            await client.close()

    episodes = await play_async(url, actions, reset, limit, one_more)
    return {"episodes": episodes, "reported": reported}


async def play_async(
    url: str,
    actions: list[Any],
    reset: dict[str, Any] | None = None,
    clients: int = 1,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
) -> list[dict[str, Any]]:
    """Episodes with so many asynchronous clients at once, stepped together."""
    all_clients = [GenericEnvClient(base_url=url) for _ in range(clients)]
    try:
        await asyncio.gather(*(client.connect() for client in all_clients))
        firsts = await asyncio.gather(*(client.reset(**(reset or {})) for client in all_clients))
        results = [[_facts(first)] for first in firsts]
        if meanwhile is not None:
            await meanwhile()
        for action in actions:
            found = await asyncio.gather(*(client.step(action) for client in all_clients))
            for own, result in zip(results, found, strict=True):
                own.append(_facts(result))
        states = await asyncio.gather(*(client.state() for client in all_clients))
        return [
            {"results": own, "state": state} for own, state in zip(results, states, strict=True)
        ]
    finally:
        await asyncio.gather(*(client.close() for client in all_clients))


class _Patient(LocalDockerProvider):
    def wait_for_ready(self, base_url: str, timeout_s: float = 150.0) -> None:
        super().wait_for_ready(base_url, timeout_s)


def play_image(
    image: str, actions: list[Any], variables: dict[str, str], space: bool = False
) -> list[dict[str, Any]]:
    """Return what each call of an episode gave in a container of an image.

    Args:
        image: The image, or with ``space`` the Space whose image the hub's registry has.
        actions: Those of the episode.
        variables: Environment variables of the container.
        space: Whether ``image`` is a Space.
    """
    make = GenericEnvClient.from_env if space else GenericEnvClient.from_docker_image
    with make(image, provider=_Patient(), env_vars=variables).sync() as client:
        return [_facts(client.reset()), *(_facts(client.step(action)) for action in actions)]
