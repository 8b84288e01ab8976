"""Clients of MCP itself at our server: the ``mcp`` package's own session plays environments."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import jsonschema
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from tests.servers import Served, eventually, serving

LIMIT = 60.0


@pytest.fixture(scope="module")
def chess() -> Iterator[Served]:
    with serving("chess", max_sessions=2) as served:
        yield served


@asynccontextmanager
async def session_at(served: Served) -> Any:
    async with (
        streamable_http_client(f"{served.url('http')}/mcp") as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        yield session, await session.initialize()


def structured(result: Any) -> dict[str, Any]:
    assert not result.is_error, result
    found: dict[str, Any] = result.structured_content
    assert json.loads(result.content[0].text) == found
    return found


def test_a_game_of_chess(chess: Served) -> None:
    async def play() -> list[dict[str, Any]]:
        async with session_at(chess) as (session, begun):
            assert begun.server_info.name == "chess"
            assert "tools" in begun.capabilities.model_dump(exclude_none=True)
            await session.send_ping()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            assert list(tools) == ["reset", "step"]
            schema = tools["step"].input_schema
            assert list(schema["properties"]) == ["move"]
            chosen, seen = random.Random(0), []
            seen.append(structured(await session.call_tool("reset", {"seed": 3})))
            while not seen[-1]["done"]:
                move = {"move": chosen.choice(seen[-1]["observation"]["legal_moves"])}
                jsonschema.validate(move, schema)
                seen.append(structured(await session.call_tool("step", move)))
            over = await session.call_tool("step", move)
            assert over.is_error
            assert "call reset() before" in over.content[0].text
            return seen

    first, second = (asyncio.run(play()) for _ in range(2))
    assert first == second
    assert first[-1]["observation"]["result"]
    eventually(lambda: len(chess.sessions) == 0)  # its client ended it


def test_what_is_wrong_is_said(chess: Served) -> None:
    async def ask() -> list[str]:
        async with session_at(chess) as (session, _):
            calls = [
                ("step", {"move": "e2e4"}),
                ("reset", {"seed": -1}),
                ("reset", {"colour": "white"}),
                ("reset", {}),
                ("step", {"move": "e2e9"}),
                ("fly", {}),
            ]
            results = [await session.call_tool(*call) for call in calls]
            return [result.content[0].text if result.is_error else "" for result in results]

    reported = asyncio.run(ask())
    wanted = ["no running episode", "reset: seed", "'colour' is unknown", "", "move", "'fly'"]
    for text, part in zip(reported, wanted, strict=True):
        assert part in text
    eventually(lambda: len(chess.sessions) == 0)


def rpc(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def test_without_a_session(chess: Served) -> None:
    with httpx.Client(base_url=chess.url("http"), timeout=LIMIT) as client:
        listed = client.post("/mcp", json=rpc("tools/list")).json()["result"]["tools"]
        assert [tool["name"] for tool in listed] == ["reset", "step"]
        reported = client.post("/mcp", json=rpc("tools/call", name="reset")).json()
        assert "Begin one with initialize" in reported["error"]["message"]
        named = client.post("/mcp", json=rpc("tools/list", session_id="no-such")).json()
        assert named["error"]["message"] == "Unknown session_id: no-such"
        for method in ("POST", "DELETE"):
            lost = client.request(
                method, "/mcp", json=rpc("ping"), headers={"Mcp-Session-Id": "none"}
            )
            assert (lost.status_code, lost.json()["error"]["code"]) == (404, -32000)
        refused = client.get("/mcp")
        assert (refused.status_code, set(refused.headers["allow"].split(", "))) == (
            405,
            {"POST", "DELETE"},
        )
    eventually(lambda: len(chess.sessions) == 0)


def test_a_session_of_openenvs_own_clients(chess: Served) -> None:
    with httpx.Client(base_url=chess.url("http"), timeout=LIMIT) as client:

        def ask(method: str, **params: Any) -> Any:
            reported = client.post("/mcp", json=rpc(method, **params)).json()
            return reported["result"] if "result" in reported else reported["error"]["message"]

        id = ask("openenv/session/create")["session_id"]
        assert "no running episode" in ask(
            "tools/call", session_id=id, name="step", arguments={"move": "e2e4"}
        )
        begun = ask("tools/call", session_id=id, name="reset", arguments={"seed": 1})
        assert begun["data"] == begun["structured_content"]
        assert len(begun["data"]["observation"]["legal_moves"]) == 20
        assert ask("openenv/session/close", session_id=id)["closed"]


def test_a_notification_has_no_reply(chess: Served) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    reported = httpx.post(f"{chess.url('http')}/mcp", json=note, timeout=LIMIT)
    assert (reported.status_code, reported.content) == (202, b"")


def test_no_room_for_a_session(chess: Served) -> None:
    with httpx.Client(base_url=chess.url("http"), timeout=LIMIT) as client:
        begun = [client.post("/mcp", json=rpc("initialize")) for _ in range(3)]
        assert "at capacity" in begun[2].json()["error"]["message"]
        for one in begun[:2]:
            headers = {"Mcp-Session-Id": one.headers["Mcp-Session-Id"]}
            assert client.delete("/mcp", headers=headers).status_code == 204
    eventually(lambda: len(chess.sessions) == 0)


def test_actions_of_gymnasiums_own() -> None:
    with serving("gymnasium", options={"env_id": "CartPole-v1"}) as served:

        async def play() -> int:
            async with session_at(served) as (session, _):
                data = structured(await session.call_tool("reset", {"seed": 0}))
                steps = 0
                while not data["done"]:
                    data = structured(await session.call_tool("step", {"action": steps % 2}))
                    steps += 1
                return steps

        assert asyncio.run(play()) > 8
