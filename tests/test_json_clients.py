"""Clients that speak JSON, and clients whose methods are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from openenv_gym.client import AsyncClient, GenericClient
from openenv_gym.errors import (
    ActionError,
    AuthenticationError,
    ConnectError,
    EnvironmentFailedError,
    EpisodeError,
    OptionError,
)
from openenv_gym_envs.connect4 import Connect4Action, Connect4Env
from openenv_gym_envs.echo import EchoAction, EchoEnv
from tests.servers import Served, eventually, serving

COLUMNS = [3, 0, 3, 1, 3, 6, 3]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("connect4", max_sessions=8) as served:
        yield served


def play(client: GenericClient) -> list[Any]:
    with closing(client):
        results = [client.reset(seed=3, episode_id="ep")]
        results += [client.step({"column": column}) for column in COLUMNS]
        return [results, client.state()]


def test_dicts_here_and_at_a_server(served: Served) -> None:
    here = play(GenericClient(environment="connect4"))
    for scheme in ("http", "websocket"):
        assert play(GenericClient(served.url(scheme))) == here
    results, state = here
    assert (results[-1].reward, results[-1].done) == (1.0, True)
    assert results[0].observation["legal_actions"] == [*range(7)]
    assert state["episode_id"] == "ep"
    assert state["step_count"] == len(COLUMNS)
    eventually(lambda: len(served.sessions) == 0)


def test_dicts_that_are_not_actions(served: Served) -> None:
    with GenericClient(environment="connect4") as client:
        client.reset()
        with pytest.raises(ActionError, match="column"):
            client.step({"column": 9})
    with GenericClient(served.url("http")) as client:
        with pytest.raises(EnvironmentFailedError, match="no running episode"):
            client.step({"column": 1})
        assert [tool.name for tool in client.list_tools()] == ["reset", "step"]
        assert client.call_tool("reset", seed=1)["done"] is False
        assert client.call_tool("step", column=2)["observation"]["board"][5][2] == 1


def test_a_wrong_token_is_said_to_be_one() -> None:
    with serving("echo", token="let-me-in") as server:
        for token, problem in (("another", "is wrong"), (None, "is missing")):
            with pytest.raises(AuthenticationError, match=problem):
                GenericClient(server.url("http"), token=token)


def test_where_there_is_nothing_to_speak_with() -> None:
    for keywords in ({}, {"base_url": "http://127.0.0.1:1", "environment": "echo"}):
        with pytest.raises(OptionError, match="one of them"):
            GenericClient(**keywords)
    with pytest.raises(OptionError, match="opponent"):
        GenericClient("http://127.0.0.1:1", opponent="random")
    with pytest.raises(ConnectError):
        GenericClient("http://127.0.0.1:1")


def test_episodes_side_by_side(served: Served) -> None:
    async def one(seed: int) -> list[Any]:
        async with Connect4Env.aio(base_url=served.url("websocket")) as env:
            assert env.client is not None
            results = [await env.reset(seed=seed)]
            results += [await env.step(Connect4Action(column=column)) for column in COLUMNS]
            state = await env.state()
            return [results[-1].reward, results[-1].done, state.step_count]

    async def several() -> list[Any]:
        return await asyncio.gather(*map(one, range(4)))

    assert asyncio.run(several()) == [[1.0, True, 7]] * 4
    eventually(lambda: len(served.sessions) == 0)


def test_methods_that_are_awaited(served: Served) -> None:
    async def episode() -> None:
        async with EchoEnv() as env:
            await env.reset(seed=1)
            assert (await env.step(EchoAction(message="Hi"))).observation.echoed_message == "Hi"
            assert [tool.name for tool in await env.list_tools()] == ["step"]
            assert (await env.call_tool("step", message="Ho")).echoed_message == "Ho"
            with pytest.raises(ActionError, match="'echo' does not exist"):
                await env.call_tool("echo", message="Ho")
        with pytest.raises(EpisodeError, match="closed"):
            await env.reset()
        client = AsyncClient(GenericClient, served.url("http"))
        assert (await client.reset()).done is False  # it connects by itself
        await client.close()
        await client.close()

    asyncio.run(episode())
