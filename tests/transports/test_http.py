"""The HTTP transport: what answers that is no server of ours, proxies, threads."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ConnectError, ExchangeTimeoutError, ProtocolError
from openenv_gym.server.exchange import answer
from openenv_gym.sessions.session import Session
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import Closed, Open, Reset, Step
from openenv_gym.wire.names import CONTENT_TYPE
from openenv_gym_transports.http import HttpTransport
from tests.environments import COUNT, THREADED, WAIT
from tests.servers import Served

Answer = tuple[int, str, bytes]


class Seen(list[dict[str, str]]):
    """Requests that arrived, and the replies that the next ones get."""

    replies: list[Answer]
    headers: dict[str, str]
    """Of each reply."""


@contextmanager
def answering(*replies: Answer) -> Iterator[tuple[str, Seen]]:
    """A server that gives these replies in turn, else serves a session; and what it saw."""
    seen, session = Seen(), Session(THREADED)
    seen.replies, seen.headers = list(replies), {}

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen.append({"path": self.path, **headers})
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if seen.replies:
                status, kind, body = seen.replies.pop(0)
            else:
                status, kind, body = 200, CONTENT_TYPE, answer(session, data)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for header in seen.headers.items():
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", seen
        finally:
            server.shutdown()
            thread.join(10.0)
            session.close()


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (200, b"<html>hi", "HTTP 200 <html>hi"),
        (404, b"not here", "HTTP 404 not here"),
        (405, b"", "HTTP 405"),
    ],
)
def test_what_is_no_server_of_ours(status: int, body: bytes, message: str) -> None:
    with (
        answering((status, "text/html", body)) as (url, _),
        pytest.raises(ConnectError, match=message),
    ):
        OpenEnvGym(THREADED, transport="http", url=url)


def test_a_proxy_whose_server_is_away_is_waited_for() -> None:
    with answering((502, "text/html", b"")) as (url, _):
        OpenEnvGym(THREADED, transport="http", url=url).close()


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Open(None, {}, id=1), "is not a reply"),
        (Closed(id=1), "Description was due"),
        (Closed(id=7), "number of another"),
    ],
)
def test_server_that_answers_with_something_else(reply: Any, message: str) -> None:
    with (
        answering((200, CONTENT_TYPE, encode(reply))) as (url, _),
        pytest.raises(ProtocolError, match=message),
    ):
        OpenEnvGym(THREADED, transport="http", url=url)


def test_proxy_whose_server_restarts() -> None:
    with answering() as (url, seen):
        env = OpenEnvGym(THREADED, transport="http", url=url, timeout=5.0)
        env.reset()
        seen.replies += [(502, "text/html", b""), (503, "text/html", b"")]
        assert env.step(COUNT)[0]["count"] == 1
        env.close()
        assert len(seen) == 6


def test_headers_and_path_reach_the_server() -> None:
    with answering() as (url, seen):
        options = {"headers": {"X-Proxy": "pass"}}
        OpenEnvGym(
            THREADED, transport="http", url=f"{url}/prefix/", token="t", transport_options=options
        ).close()
    assert seen[0]["path"] == "/prefix/exchange"
    assert seen[0]["x-proxy"] == "pass"
    assert seen[0]["authorization"] == "Bearer t"
    assert len(seen[0]["x-session-id"]) >= 32


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with answering() as (proxy, seen):
        monkeypatch.setenv("http_proxy", proxy)
        env = OpenEnvGym(THREADED, transport="http", url="http://far.example:1234")
        env.reset()
        env.close()
        assert seen[0]["path"] == "http://far.example:1234/exchange"
        monkeypatch.setenv("no_proxy", "far.example")
        with pytest.raises(ConnectError, match=r"far\.example"):
            OpenEnvGym(THREADED, transport="http", url="http://far.example:1234")


def test_server_of_our_own_is_reached_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    env = OpenEnvGym(THREADED, transport="http")
    assert env.reset()[0]["count"] == 0
    env.close()


def test_connection_is_kept(server: Served) -> None:
    with answering() as (url, _):
        link = HttpTransport(url=url).open(Open(None, {}))
        threads = threading.active_count()
        link.exchange(Reset(1))
        for _ in range(5):
            link.exchange(Step(COUNT))
        assert threading.active_count() == threads
        link.close()


@pytest.mark.parametrize("headers", [{"Connection": "close"}, {"Connection": "keep-alive"}])
def test_what_the_server_wants_of_the_connection(headers: dict[str, str]) -> None:
    with answering() as (url, seen):
        seen.headers = headers
        env = OpenEnvGym(THREADED, transport="http", url=url)
        env.reset()
        assert [env.step(COUNT)[0]["count"] for _ in range(3)] == [1, 2, 3]
        env.close()
        assert len(seen) == 6


def test_sent_request_whose_reply_is_late(server: Served) -> None:
    transport = HttpTransport(url=server.url("http"), timeout=5.0)
    link = transport.open(Open(None, {"delay": 0.6}))
    link.exchange(Reset(1))
    link.send(Step(WAIT))
    with pytest.raises(ExchangeTimeoutError):
        link.receive(0.1)
    started = time.monotonic()
    link.send(Reset(2))
    assert link.receive(5.0).observation["count"] == 0  # type: ignore[attr-defined]
    assert time.monotonic() - started > 0.2
    link.close()
