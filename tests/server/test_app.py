"""The application from outside: routes, the token, pages, garbage."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OptionError, RegistryError
from openenv_gym.server.app import create_app
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Close, Closed, Description, Failure, Open, Reset, Result, Step
from openenv_gym.wire.names import CONTENT_TYPE, MAX_REQUEST, SUBPROTOCOL
from tests.environments import COUNT, THREADED, Counting
from tests.servers import Served, eventually, serving

HEADERS = {"Content-Type": CONTENT_TYPE}


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(THREADED, allow_hosts=["Allowed.example"]) as served:
        yield served


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    with serving(THREADED, token="right") as served:
        yield served


@pytest.fixture
def client(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url("http"), timeout=10.0) as client:
        yield client


def ws(served: Served, **keywords: Any) -> Any:
    keywords.setdefault("subprotocols", [SUBPROTOCOL])
    return connect(served.url("websocket") + "/ws", compression=None, proxy=None, **keywords)


def works(served: Served) -> bool:
    """A good client is answered."""
    for transport in ("http", "websocket"):
        env = OpenEnvGym(THREADED, transport=transport, url=served.url(transport), timeout=5.0)
        env.reset()
        assert env.step(COUNT)[0]["count"] == 1
        env.close()
    eventually(lambda: len(served.sessions) == 0)
    return True


def test_health_and_docs(client: httpx.Client) -> None:
    assert client.get("/health").json() == {"status": "healthy"}
    for page in ("/docs", "/redoc"):
        assert "/openapi.json" in client.get(page).text
    description = client.get("/openapi.json").json()
    assert "Counting" in description["info"]["title"]
    assert "/exchange" in description["info"]["description"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/exchange", 405), ("POST", "/nowhere", 404), ("GET", "/ws", 404)],
)
def test_what_is_not_there(client: httpx.Client, method: str, path: str, status: int) -> None:
    assert client.request(method, path).status_code == status


def test_messages_over_http(client: httpx.Client) -> None:
    reply = client.post("/exchange", content=encode(Open(None, {}, id=1)), headers=HEADERS)
    assert reply.headers["content-type"] == CONTENT_TYPE
    assert type(decode(reply.content)) is Description
    headers = {**HEADERS, "X-Session-ID": reply.headers["x-session-id"]}
    assert len(headers["X-Session-ID"]) >= 32
    kinds = []
    for id, request in enumerate((Reset(1), Step(COUNT), Close()), 2):
        request.id = id
        reply = client.post("/exchange", content=encode(request), headers=headers)
        kinds.append(type(decode(reply.content)))
    assert kinds == [Result, Result, Closed]


def test_messages_over_a_websocket(server: Served) -> None:
    with ws(server) as socket:
        assert socket.subprotocol == SUBPROTOCOL
        assert len(socket.response.headers["X-Session-ID"]) >= 32
        for id, (request, kind) in enumerate(
            [(Open(None, {}), Description), (Reset(1), Result), (Close(), Closed)], 1
        ):
            request.id = id
            socket.send(encode(request))
            assert type(decode(socket.recv())) is kind


@pytest.mark.parametrize("given", [None, "application/json", "text/plain", "multipart/form-data"])
def test_other_content_types(client: httpx.Client, given: str | None) -> None:
    headers = {} if given is None else {"Content-Type": given}
    reply = client.post("/exchange", content=b"{}", headers=headers)
    assert reply.status_code == 415
    assert CONTENT_TYPE in reply.json()["detail"]
    assert "transport='http'" in reply.json()["detail"]


def test_content_type_with_parameters(client: httpx.Client) -> None:
    headers = {"Content-Type": CONTENT_TYPE.upper() + "; charset=binary"}
    assert client.post("/exchange", content=b"", headers=headers).status_code == 200


def test_mounted_below_a_path() -> None:
    app = Starlette(routes=[Mount("/games", create_app(THREADED))])
    id = {"X-Session-ID": "s" * 32}
    with TestClient(app) as client:
        requests = (Open(None, {}, id=1), Description), (Close(id=2), Closed)
        for request, kind in requests:
            reply = client.post("/games/exchange", content=encode(request), headers=HEADERS | id)
            assert type(decode(reply.content)) is kind


def test_too_large(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10.0) as sock:
        head = f"POST /exchange HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
        sock.sendall(f"{head}Content-Length: {MAX_REQUEST + 1}\r\n\r\n".encode())
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 413")


def test_too_large_without_saying_so(
    client: httpx.Client, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("openenv_gym.server.http.MAX_REQUEST", 1000)
    chunks = (b"x" * 100 for _ in range(20))
    assert client.post("/exchange", content=chunks, headers=HEADERS).status_code == 413
    assert works(server)


# The token


@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}]
)
def test_without_the_token(guarded: Served, headers: dict[str, str]) -> None:
    url = guarded.url("http")
    reply = httpx.post(f"{url}/exchange?token=right", headers={**HEADERS, **headers})
    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert "token" in reply.json()["detail"]
    with pytest.raises(InvalidStatus) as caught, ws(guarded, additional_headers=headers):
        pass
    assert caught.value.response.status_code == 401


def test_with_the_token(guarded: Served) -> None:
    headers = {"Authorization": "Bearer right"}
    reply = httpx.post(f"{guarded.url('http')}/exchange", headers={**HEADERS, **headers})
    assert reply.status_code == 200
    with ws(guarded, additional_headers=headers) as socket:
        assert socket.subprotocol == SUBPROTOCOL


def test_health_needs_no_token(guarded: Served) -> None:
    for path in ("/health", "/docs", "/redoc", "/openapi.json"):
        assert httpx.get(guarded.url("http") + path).status_code == 200


# Pages


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        ("http://evil.example", None, 403),
        ("https://127.0.0.1", None, 403),
        ("null", None, 403),
        ("http://[", None, 403),
        # A page that has its own name lead to this machine, once it is loaded.
        ("http://evil.example:8000", "evil.example:8000", 403),
        ("http://localhost:8000", "localhost:8000", 200),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", 200),
        # A page that asks by GET, or from before there were origins, says only that.
        (None, "evil.example", 403),
        (None, "evil.example:8000", 403),
        (None, "localhost.evil.example", 403),
        (None, "127.0.0.1.evil.example", 403),
        (None, "[", 403),
        (None, "localhost", 200),
        (None, "LOCALHOST.:8000", 200),
        (None, "[::1]:8000", 200),
        (None, "10.1.2.3", 200),
        (None, "chess:8000", 200),
        (None, "chess.prod.svc.cluster.local", 200),
        (None, "host.docker.internal:8000", 200),
        (None, "allowed.example:1", 200),
        ("https://allowed.example", "allowed.example", 200),
    ],
)
def test_pages_of_others(
    client: httpx.Client, server: Served, origin: str | None, host: str | None, status: int
) -> None:
    headers = {key: text for key, text in (("Origin", origin), ("Host", host)) if text}
    reply = client.post("/exchange", content=b"", headers={**HEADERS, **headers})
    assert reply.status_code == status
    if status == 403 and host is None:
        with pytest.raises(InvalidStatus) as caught, ws(server, origin=origin):
            pass
        assert caught.value.response.status_code == 403


# What is no message


def test_text_frames(server: Served) -> None:
    with ws(server) as socket:
        socket.send("text")
        with pytest.raises(ConnectionClosed, match="1003"):
            socket.recv()
    assert works(server)


def test_garbage(server: Served, client: httpx.Client) -> None:
    source = random.Random(1)
    with ws(server) as socket:
        for size in (0, 1, 10, 1000, 100_000):
            data = source.randbytes(size)
            socket.send(data)
            reply = decode(socket.recv())
            assert type(reply) is Failure
            assert reply.kind == "CodecError"
            answer = client.post("/exchange", content=data, headers=HEADERS)
            assert type(decode(answer.content)) is Failure
    assert works(server)


def test_garbage_instead_of_http(server: Served) -> None:
    source = random.Random(2)
    for prefix in (b"", b"GET /ws HTTP/1.1\r\n", b"POST /exchange HTTP/1.1\r\nContent-Length: 9"):
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port)) as sock:
                sock.sendall(prefix + source.randbytes(500))
    assert works(server)


def test_garbage_after_the_handshake(server: Served) -> None:
    source = random.Random(3)
    for _ in range(10):
        with ws(server) as connection:
            connection.socket.sendall(source.randbytes(200))
    assert works(server)


def test_hang_up_in_the_midst_of_a_body(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        head = f"POST /exchange HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
        sock.sendall(f"{head}Content-Length: 100\r\n\r\nabc".encode())
    assert works(server)


# Making it


def test_class_instead_of_a_name() -> None:
    assert create_app(Counting).state.sessions.environment == THREADED


def test_unknown_environment() -> None:
    with pytest.raises(RegistryError, match="nonsense"):
        create_app("nonsense")


def test_limits() -> None:
    with pytest.raises(OptionError, match="max_sessions"):
        create_app(THREADED, max_sessions=0)


def test_options_that_the_owner_sets() -> None:
    with serving(THREADED, options={"size": 7}) as served:
        url = served.url("http")
        env = OpenEnvGym(THREADED, transport="http", url=url)
        assert env.reset()[0]["frame"].shape == (7,)
        env.close()
        with pytest.raises(OptionError, match="size"):
            OpenEnvGym(THREADED, transport="http", url=url, size=8)
