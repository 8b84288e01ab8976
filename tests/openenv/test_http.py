"""OpenEnv's protocol over HTTP: its routes, and a session for each client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from openenv_gym import __version__
from openenv_gym.wire.names import SESSION_COOKIE, SESSION_HEADER
from tests.environments import COUNT, FAIL, INLINE, SECRET, THREADED
from tests.openenv.counterparts import NESTED
from tests.servers import Served, eventually, serving

Client = Callable[[], httpx.Client]

LIMIT = 60.0
"""Seconds to wait for an answer."""


@pytest.fixture(scope="module", params=[THREADED, INLINE], ids=["threaded", "inline"])
def server(request: pytest.FixtureRequest) -> Iterator[Served]:
    with serving(request.param, max_sessions=2) as served:
        yield served


@pytest.fixture
def new(server: Served) -> Iterator[Client]:
    """Makes clients that keep cookies; their sessions are closed after the test."""
    with ExitStack() as stack:
        made: list[httpx.Client] = []

        def new() -> httpx.Client:
            client = httpx.Client(base_url=server.url("http"), timeout=LIMIT)
            made.append(stack.enter_context(client))
            return client

        yield new
        for client in made:
            if id := client.cookies.get(SESSION_COOKIE):
                rpc(client, "openenv/session/close", session_id=id)
        eventually(lambda: len(server.sessions) == 0)


def rpc(client: httpx.Client, method: str, **params: Any) -> Any:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    reply = client.post("/mcp", json=message)
    assert reply.status_code == 200
    return reply.json()


def count(reply: httpx.Response) -> Any:
    assert reply.status_code == 200, reply.text
    reported = reply.json()
    assert list(reported) == ["observation", "reward", "done", "metadata"]
    return reported["observation"]["count"]


def step(client: httpx.Client, action: int = COUNT, **headers: Any) -> httpx.Response:
    return client.post("/step", json={"action": {"action": action}}, **headers)


def test_a_client_that_keeps_cookies_has_an_episode(new: Client) -> None:
    client = new()
    begun = client.post("/reset", json={"seed": 1, "episode_id": "ep"})
    reported = begun.json()
    assert (reported["reward"] is None, reported["done"], reported["metadata"]) == (
        False,
        False,
        None,
    )
    assert [count(step(client)) for _ in range(3)] == [1, 2, 3]
    assert client.get("/state").json() == {"episode_id": "ep", "step_count": 3}
    assert count(client.post("/reset", json={"seed": 1})) == 0
    assert client.get("/state").json()["step_count"] == 0


def test_the_cookie_is_for_no_script(new: Client) -> None:
    reported = new().post("/reset").headers["set-cookie"]
    assert "HttpOnly" in reported
    assert "SameSite=lax" in reported


def test_a_client_may_send_the_header_instead(new: Client, server: Served) -> None:
    client = new()
    id = client.post("/reset").headers["X-Session-ID"]
    bare = {"base_url": server.url("http"), "headers": {"X-Session-ID": id}, "timeout": LIMIT}
    with httpx.Client(**bare) as other:
        assert count(step(other)) == 1
        assert count(step(client)) == 2
        assert other.get("/state").json()["step_count"] == 2


def test_clients_have_sessions_of_their_own(new: Client) -> None:
    one, two = new(), new()
    one.post("/reset")
    two.post("/reset")
    assert [count(step(one)), count(step(one)), count(step(two))] == [1, 2, 1]
    full = new().post("/reset")
    assert full.status_code == 503
    assert full.json() == {
        "detail": "Server at capacity: 2/2 sessions active. Cannot accept new connections.",
        "code": "CAPACITY_REACHED",
        "active_sessions": 2,
        "max_sessions": 2,
    }


def test_without_a_session_the_error_explains(new: Client) -> None:
    """Also after a reset whose reply's cookie and header did not come back."""
    client = new()
    client.post("/reset")
    with httpx.Client(base_url=client.base_url, timeout=LIMIT) as forgetful:
        for reply in (step(forgetful), forgetful.get("/state")):
            assert reply.status_code == 400
            reported = reply.json()
            assert reported["code"] == "SESSION_ERROR"
            for word in ("POST /reset", SESSION_COOKIE, SESSION_HEADER, "-c"):
                assert word in reported["detail"]


def test_a_session_that_is_over(new: Client) -> None:
    client = new()
    id = client.post("/reset").headers["X-Session-ID"]
    assert rpc(client, "openenv/session/close", session_id=id)["result"]["closed"]
    assert step(client).status_code == 404
    lost = client.get("/state", headers={"X-Session-ID": id})
    assert (lost.status_code, lost.json()["code"]) == (404, "SESSION_ERROR")
    # A browser cannot know that its cookie is of no more use: a reset begins anew.
    assert count(client.post("/reset")) == 0
    assert client.post("/reset", headers={"X-Session-ID": id}).status_code == 404


@pytest.mark.parametrize(
    "body", [None, b"", b"{}", b'{"seed":7}', b'{"seed":"7"}', b'{"seed":null}']
)
def test_what_a_reset_takes(new: Client, body: bytes | None) -> None:
    headers = {"Content-Type": "application/json"}
    assert count(new().post("/reset", content=body, headers=headers)) == 0


PROBLEMS = [
    ("/reset", b'{"seed":-1}', "greater_than_equal", ["body", "seed"]),
    ("/reset", b'{"episode_id":7}', "string_type", ["body", "episode_id"]),
    ("/reset", b"{bad", "json_invalid", ["body", 1]),
    ("/reset", b"[]", "model_type", ["body"]),
    ("/step", b"{}", "missing", ["body", "action"]),
    ("/step", b"", "missing", ["body", "action"]),
    ("/step", b'{"action":1}', "dict_type", ["body", "action"]),
    ("/step", b'{"action":{"action":0},"bogus":1}', "extra_forbidden", ["body", "bogus"]),
    ("/step", b'{"action":{"action":0},"timeout_s":0}', "greater_than", ["body", "timeout_s"]),
    ("/step", b'{"action":{"bogus":1,"action":0}}', "extra_forbidden", ["bogus"]),
    ("/step", b'{"action":{"action":"x"}}', "int_parsing", ["action"]),
    ("/step", b'{"action":{"action":9}}', "not_in_space", ["action"]),
    ("/step", b'{"action":{"action":0.5}}', "int_from_float", ["action"]),
]


@pytest.mark.parametrize(("path", "body", "kind", "place"), PROBLEMS)
def test_what_is_refused_changes_nothing(
    new: Client, path: str, body: bytes, kind: str, place: list[Any]
) -> None:
    client = new()
    client.post("/reset")
    step(client)
    refused = client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422
    first = refused.json()["detail"][0]
    assert (first["type"], first["loc"]) == (kind, place)
    assert count(step(client)) == 2


def test_json_says_that_it_is(new: Client) -> None:
    refused = new().post("/reset", content=b'{"seed":1}', headers={"Content-Type": "text/plain"})
    assert refused.status_code == 422
    assert "Content-Type: application/json" in refused.json()["detail"][0]["msg"]


def test_what_other_clients_send_beside_the_action_is_taken(new: Client) -> None:
    client = new()
    client.post("/reset")
    body = {"action": {"action": COUNT}, "timeout_s": 5.0, "request_id": "r1"}
    assert count(client.post("/step", json=body)) == 1


def test_a_step_without_an_episode(new: Client) -> None:
    client = new()
    id = rpc(client, "openenv/session/create")["result"]["session_id"]
    early = step(client, headers={"X-Session-ID": id})
    assert (early.status_code, early.json()["code"]) == (409, "EXECUTION_ERROR")
    rpc(client, "openenv/session/close", session_id=id)


def test_the_environment_raises(new: Client) -> None:
    client = new()
    client.post("/reset")
    failed = step(client, FAIL)
    assert (failed.status_code, failed.json()["code"]) == (500, "EXECUTION_ERROR")
    assert SECRET not in failed.text
    assert step(client).status_code == 409
    assert count(client.post("/reset")) == 0


def test_with_debug_it_is_told_what_it_raised() -> None:
    with (
        serving(THREADED, debug=True) as served,
        httpx.Client(base_url=served.url("http"), timeout=LIMIT) as one,
    ):
        one.post("/reset")
        assert SECRET in step(one, FAIL).text


def test_an_environment_that_cannot_be_made() -> None:
    with serving("tests.troubles:Troublesome", options={"first": "raise"}) as served:
        with httpx.Client(base_url=served.url("http"), timeout=LIMIT) as client:
            for reply in (client.post("/reset"), client.get("/schema")):
                assert (reply.status_code, reply.json()["code"]) == (500, "FACTORY_ERROR")
                assert "no such thing" not in reply.text
            assert rpc(client, "openenv/session/create")["error"]["code"] == -32000
            assert client.get("/health").json() == {"status": "healthy"}
            assert client.get("/openapi.json").status_code == 200
        assert len(served.sessions) == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/reset", 405),
        ("PUT", "/step", 405),
        ("GET", "/mcp", 405),
        ("OPTIONS", "/step", 405),
        ("GET", "/", 404),
        ("GET", "/web", 404),
        ("POST", "/close", 404),
    ],
)
def test_what_is_not_there(new: Client, method: str, path: str, status: int) -> None:
    assert new().request(method, path).status_code == status


def test_what_tools_ask_for(new: Client, server: Served) -> None:
    client = new()
    name = client.get("/list_environments").json()
    assert name == [server.sessions.environment]
    metadata = client.get("/metadata").json()
    assert set(metadata) == {
        "name",
        "description",
        "readme_content",
        "version",
        "author",
        "documentation_url",
    }
    assert metadata["name"] == name[0]
    schema = client.get("/schema").json()
    assert set(schema) == {"action", "observation", "state", "reset_observation"}
    assert schema["action"]["properties"]["action"]["maximum"] == 3
    assert set(schema["observation"]["properties"]) >= {"done", "reward", "metadata", "count"}
    assert "episode_id" in schema["state"]["properties"]


def test_a_bundled_environment_says_what_it_is() -> None:
    with serving("echo") as served:
        metadata = httpx.get(served.url("http") + "/metadata", timeout=LIMIT).json()
    assert (metadata["name"], metadata["version"]) == ("echo", __version__)
    assert "# Echo" in metadata["readme_content"]


def test_the_openapi_document(new: Client) -> None:
    document = new().get("/openapi.json").json()
    assert document["info"]["version"] == "1.0.0"
    assert document["openapi"] == "3.1.0"
    assert {"/reset", "/step", "/state", "/schema", "/metadata", "/health", "/mcp"} <= set(
        document["paths"]
    )


@pytest.mark.parametrize("environment", ["chess", "connect4", NESTED])
def test_replies_are_as_the_document_says(environment: str) -> None:
    actions = {"chess": {"move": "e2e4"}, "connect4": {"column": 3}}
    with (
        serving(environment) as served,
        httpx.Client(base_url=served.url("http"), timeout=LIMIT) as client,
    ):
        document = client.get("/openapi.json").json()
        replies = {
            "Result": client.post("/reset", json={"seed": 1}),
            "State": client.get("/state"),
            "Schemas": client.get("/schema"),
            "Metadata": client.get("/metadata"),
        }
        action = actions.get(environment, {"by": {"x": 1, "y": 1}})
        replies["Result"] = client.post("/step", json={"action": action})
    for name, reply in replies.items():
        assert reply.status_code == 200, reply.text
        schema = {**document, "$ref": f"#/components/schemas/{name}"}
        problems = [
            error.message for error in Draft202012Validator(schema).iter_errors(reply.json())
        ]
        assert not problems, name


RPC = [
    (b"{bad", None, -32700),
    (b"[]", None, -32700),
    (b"{}", None, -32600),
    (b'{"jsonrpc":"2.0","id":1,"method":"resources/list"}', 1, -32601),
    (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"step"}}', 1, -32602),
    (b'{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"session_id":"x"}}', "a", -32602),
    (b'{"jsonrpc":"2.0","id":1,"method":"openenv/session/close"}', 1, -32602),
    (
        b'{"jsonrpc":"2.0","id":1,"method":"openenv/session/close","params":{"session_id":"x"}}',
        1,
        -32602,
    ),
]


@pytest.mark.parametrize(("body", "id", "code"), RPC)
def test_errors_of_json_rpc(new: Client, body: bytes, id: Any, code: int) -> None:
    reply = new().post("/mcp", content=body)
    assert reply.status_code == 200
    reported = reply.json()
    assert (reported["jsonrpc"], reported["id"], reported["error"]["code"]) == ("2.0", id, code)


def test_a_full_server_in_json_rpc(new: Client) -> None:
    client = new()
    ids = [rpc(client, "openenv/session/create")["result"]["session_id"] for _ in range(2)]
    assert len(set(ids)) == 2
    full = rpc(client, "openenv/session/create")["error"]
    assert (full["code"], full["data"]) == (-32000, {"active_sessions": 2, "max_sessions": 2})
    for id in ids:
        assert rpc(client, "openenv/session/close", session_id=id)["result"]["closed"]


def test_with_a_token() -> None:
    with serving(THREADED, token="right") as served:
        bare = httpx.Client(base_url=served.url("http"), timeout=LIMIT)
        for path in ("/reset", "/step", "/mcp"):
            assert bare.post(path).status_code == 401
        for path in ("/state", "/schema", "/metadata", "/list_environments"):
            assert bare.get(path).status_code == 401
        assert bare.get("/health").status_code == 200
        bare.headers["Authorization"] = "Bearer right"
        assert bare.post("/reset").status_code == 200
        assert count(step(bare)) == 1
        bare.close()


def test_a_page_of_another_origin_is_refused(new: Client) -> None:
    client = new()
    client.post("/reset")
    foreign = {"Origin": "http://evil.example"}
    assert step(client, headers=foreign).status_code == 403
    assert json.loads(step(client).text)["observation"]["count"] == 1
