"""JSON-RPC at ``/mcp``, as openenv 0.10's server answers it, and the tools of our environments."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.openenv.frames import strange_value
from tests.openenv.peers import PeerPython, PeerServer, peer_server, requires_peers
from tests.openenv.test_websocket import LIMIT, talk
from tests.servers import Served, eventually, serving

ECHO = "tests.openenv.environments:echo"
CODES = {-32700, -32600, -32601, -32602, -32603, -32000}

REQUESTS: list[dict[str, Any]] = [
    {"method": "tools/call", "id": 2, "params": {"name": ""}},
    {"method": "tools/call", "id": 2},
    {"method": "resources/list", "id": 3},
    {"method": "resources/list", "id": 3, "params": {"session_id": "no-such"}},
    {"method": "openenv/session/close", "id": 4},
    {"method": "openenv/session/close", "id": 4, "params": {"session_id": "no-such"}},
    {"method": "openenv/session/close", "id": 4, "params": {"session_id": 5}},
    {"method": 7, "id": 5},
    {"method": "tools/list", "id": 1.5},
    {"method": "tools/list", "id": 1, "params": []},
    {"method": "tools/list", "id": 1, "more": True},
    {"method": "tools/list", "id": 1, "jsonrpc": "1.0"},
]


LIST = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}


def names_of(listed: Any) -> list[str]:
    return [tool["name"] for tool in listed["result"]["tools"]]


@pytest.fixture(scope="module")
def ours() -> Iterator[Served]:
    with serving("echo", max_sessions=2) as served:
        yield served


@pytest.fixture(scope="module")
def theirs() -> Iterator[PeerServer]:
    with peer_server(ECHO) as server:
        yield server


def posted(url: str, request: dict[str, Any]) -> Any:
    reported = httpx.post(f"{url}/mcp", json=request, timeout=LIMIT)
    assert reported.status_code == 200
    return reported.json()


def framed(url: str, request: dict[str, Any]) -> Any:
    with connect(f"{url.replace('http', 'ws')}/ws", proxy=None, open_timeout=LIMIT) as connection:
        connection.send(json.dumps({"type": "mcp", "data": request}))
        reported = json.loads(connection.recv(LIMIT))
    assert reported["type"] == "mcp"
    return reported["data"]


def sent(url: str, request: dict[str, Any]) -> Any:
    with connect(f"{url.replace('http', 'ws')}/mcp", proxy=None, open_timeout=LIMIT) as connection:
        connection.send(json.dumps(request))
        return json.loads(connection.recv(LIMIT))


@requires_peers
@pytest.mark.parametrize("ask", [posted, framed, sent])
def test_what_a_server_of_openenv_answers_so_do_we(
    ask: Any, ours: Served, theirs: PeerServer
) -> None:
    for fields in REQUESTS:
        request = {"jsonrpc": "2.0", **fields}
        mine, wanted = ask(ours.url("http"), request), ask(theirs.url, request)
        message, openenv_message = (reported["error"].pop("message") for reported in (mine, wanted))
        assert mine == wanted, request
        if openenv_message.startswith("Invalid request"):  # where theirs is Pydantic's own text
            assert message.startswith("Invalid request: ")
        else:
            assert message == openenv_message


@requires_peers
def test_the_openenv_client_of_tools(ours: Served, peer: PeerPython) -> None:
    reported = peer.call("tests.openenv.clients:call_tool", url=ours.url("http"), name="step")
    assert reported["listed"] == ["reset", "step"]
    assert "There is no running episode" in reported["error"]
    eventually(lambda: len(ours.sessions) == 0)


def test_a_session_for_each_connection(ours: Served) -> None:
    create = {"jsonrpc": "2.0", "id": 1, "method": "openenv/session/create"}
    with talk(ours, "/mcp") as one, talk(ours, "/mcp") as two:
        ids = {client.ask(create)["result"]["session_id"] for client in (one, two)}
        assert len(ids) == len(ours.sessions) == 2
        with talk(ours, "/mcp") as three:
            assert three.read() == {
                "jsonrpc": "2.0",
                "id": None,
                "error": {
                    "code": -32000,
                    "message": "Server at capacity: 2/2 sessions active. "
                    "Cannot accept new connections.",
                    "data": {"active_sessions": 2, "max_sessions": 2},
                },
            }
            assert three.closed() == 1000
        assert one.ask("{bad")["error"]["code"] == -32700
        assert one.ask(create)["result"]["session_id"] in ids  # it goes on
    eventually(lambda: len(ours.sessions) == 0)


def test_an_episode_over_a_connection(ours: Served) -> None:
    def call(name: str, **arguments: Any) -> dict[str, Any]:
        return {**LIST, "method": "tools/call", "params": {"name": name, "arguments": arguments}}

    with talk(ours, "/mcp") as client:
        assert client.ask(call("reset", seed=1))["result"]["data"]["done"] is False
        client.send(json.dumps({"jsonrpc": "2.0", "method": "notifications/initialized"}))
        reported = client.ask(call("step", message="Hi"))["result"]  # of the note there is no reply
        assert reported["data"]["observation"]["echoed_message"] == "Hi"
        begun = client.ask({**LIST, "method": "initialize", "params": {}})["result"]
        assert begun["serverInfo"]["name"] == "echo"
        reported = client.ask(call("step", message="Hi"))["result"]
        assert (reported["isError"], reported["structuredContent"]["reward"]) == (False, 0.2)
    eventually(lambda: len(ours.sessions) == 0)


@pytest.mark.parametrize("frame", ["[]", '"tools/list"', b"\x00"])
def test_what_is_no_request_ends_the_connection(ours: Served, frame: Any) -> None:
    with talk(ours, "/mcp") as client:
        assert client.ask(frame)["error"]["code"] == -32000
        assert client.closed() == 1000
    eventually(lambda: len(ours.sessions) == 0)


def test_strange_frames(ours: Served) -> None:
    """Each is answered; what is no object ends the connection, and no session is left of any."""
    source = random.Random(5)
    sent = 0
    while sent < 2000:
        with talk(ours, "/mcp") as client:
            frame: Any = {}
            while sent < 2000 and isinstance(frame, dict):
                frame = strange_value(source)
                if source.random() < 0.7:
                    method = source.choice(["tools/call", "openenv/session/close", frame])
                    frame = {"jsonrpc": "2.0", "method": method, "params": frame, "id": sent}
                reported = client.ask(json.dumps(frame))
                assert reported["error"]["code"] in CODES, frame
                sent += 1
            if not isinstance(frame, dict):
                assert reported["error"]["code"] == -32000
                assert client.closed() == 1000
        # It has place for two, and a session ends a moment after its connection.
        eventually(lambda: len(ours.sessions) == 0)
    assert names_of(posted(ours.url("http"), LIST)) == ["reset", "step"]


def test_an_environment_that_cannot_be_made() -> None:
    with serving("tests.troubles:Troublesome", options={"first": "raise"}) as served:
        with talk(served, "/mcp") as client:
            reported = client.read()["error"]
            assert (reported["code"], list(reported["data"])) == (-32000, ["factory_name"])
            assert client.closed() == 1000
        eventually(lambda: len(served.sessions) == 0)


def test_with_a_token() -> None:
    with serving("echo", token="right") as served:
        with pytest.raises(Exception, match="401"), talk(served, "/mcp"):
            pass
        right = {"Authorization": "Bearer right"}
        with talk(served, "/mcp", additional_headers=right) as client:
            assert names_of(client.ask(LIST)) == ["reset", "step"]


TASKS = [
    ("GET", "splits", "list_splits", None),
    ("POST", "tasks", "list_tasks", {"split": "train"}),
    ("POST", "num_tasks", "num_tasks", {"split": "train"}),
    ("POST", "task", "get_task", {"split": "train", "index": 0}),
    ("POST", "task_range", "get_task_range", {"split": "train", "start": 0, "stop": 1}),
]


@pytest.mark.parametrize(("method", "kind", "name", "body"), TASKS)
def test_there_are_no_sets_of_tasks(
    ours: Served, method: str, kind: str, name: str, body: Any
) -> None:
    def ask(environment: str) -> httpx.Response:
        url = f"{ours.url('http')}/{environment}/{kind}"
        return httpx.request(method, url, json=body, timeout=LIMIT)

    reported = ask("Echo")
    assert reported.status_code == 501
    assert reported.json() == {"detail": f"{name} is not supported for this environment"}
    other = ask("other")
    assert (other.status_code, other.json()) == (404, {"detail": "unknown environment 'other'"})
