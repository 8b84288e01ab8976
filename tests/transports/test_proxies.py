"""Proxies that environment variables name, and a client of httpx that the user gives."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ConnectError,
    MissingDependencyError,
    OpenEnvGymError,
    OptionError,
    SessionLostError,
)
from openenv_gym.testing import assert_same_trajectory
from openenv_gym.wire.messages import Step
from openenv_gym_transports.links.proxies import proxy_of
from tests.environments import COUNT, THREADED, WAIT
from tests.faults.proxy import Proxy
from tests.servers import Served, serving
from tests.transports.clients import count_of, make
from tests.transports.proxy import Way, proxying
from tests.transports.test_network_drops import trajectory

VARIABLES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy"]


@pytest.fixture(autouse=True)
def _no_other_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def way() -> Iterator[Way]:
    with proxying() as proxy:
        yield proxy


@pytest.fixture(scope="module")
def guarded() -> Iterator[Served]:
    """A server with a token."""
    with serving(THREADED, token="s3cret") as served:
        yield served


# Which proxy


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"http_proxy": "http://one:1"},
        {"http_proxy": "one:1", "https_proxy": "http://two:2"},
        {"ALL_PROXY": "socks5h://three:3", "http_proxy": "http://one:1"},
        {"all_proxy": "http://three:3", "no_proxy": "far.example, 10.0.0.1, localhost"},
        {"all_proxy": "http://three:3", "no_proxy": ".example,::1"},
        {"all_proxy": "http://three:3", "no_proxy": "*"},
        {"all_proxy": "http://three:3", "no_proxy": "http://far.example:8000"},
    ],
)
def test_the_proxy_is_that_of_httpx(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    if "ALL_PROXY" in variables:
        pytest.importorskip("socksio")
    hosts = ["far.example", "www.far.example", "10.0.0.1", "localhost", "[::1]", "127.0.0.1"]
    with httpx.Client() as client:
        for scheme, host, port in itertools.product(["http", "https"], hosts, ["", ":8000"]):
            url = f"{scheme}://{host}{port}/exchange"
            transport = client._transport_for_url(httpx.URL(url))
            found = proxy_of(url)
            assert (found is None) == (transport is client._transport), url
            if found is not None:
                pool = transport._pool  # type: ignore[attr-defined]
                wanted = bytes(pool._proxy_url.host).decode()
                assert httpx.URL(found).host == wanted
            assert proxy_of(url.replace("http", "ws", 1)) == found


# By way of one


def test_an_episode_by_way_of_a_proxy(
    transport: str, way: Way, guarded: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", way.url)
    env = make(THREADED, transport, url=guarded.url(transport), token="s3cret")
    got = list(trajectory(env, itertools.repeat(None)))
    env.close()
    plain = make(THREADED, "inprocess")
    assert_same_trajectory(got, list(trajectory(plain, itertools.repeat(None))))
    plain.close()
    begun = f"POST http://127.0.0.1:{guarded.port}/exchange "
    if transport == "websocket":
        begun = f"CONNECT 127.0.0.1:{guarded.port} "
        assert b"s3cret" not in b"".join(way.seen)
    assert way.seen[0].startswith(begun.encode())


def test_host_that_needs_no_proxy(
    transport: str, way: Way, guarded: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("all_proxy", way.url)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    make(THREADED, transport, url=guarded.url(transport), token="s3cret").close()
    assert not way.seen


def test_proxy_that_wants_a_password(
    transport: str, way: Way, guarded: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    way.password = b"Proxy-Authorization: Basic bWU6aGlkZGVu"
    url = guarded.url(transport)
    monkeypatch.setenv("http_proxy", f"http://me:wrong@127.0.0.1:{way.port}")
    with pytest.raises(ConnectError, match="407") as caught:
        make(THREADED, transport, url=url, token="s3cret")
    assert "wrong" not in str(caught.value)
    monkeypatch.setenv("http_proxy", f"http://me:hidden@127.0.0.1:{way.port}")
    env = make(THREADED, transport, url=url, token="s3cret")
    env.reset()
    assert count_of(env) == 1
    env.close()


def test_socks(transport: str, way: Way, guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("socksio")
    pytest.importorskip("python_socks")
    monkeypatch.setenv("ALL_PROXY", f"socks5://127.0.0.1:{way.port}")
    env = make(THREADED, transport, url=guarded.url(transport), token="s3cret")
    env.reset()
    assert [count_of(env) for _ in range(3)] == [1, 2, 3]
    env.close()
    assert {first[0] for first in way.seen} == {5}
    assert b"s3cret" not in b"".join(way.seen)


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_proxy_that_does_not_speak_socks(
    transport: str, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a request nor the token is sent to it."""
    seen = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    seen.append(client.recv(1 << 16))
                    client.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        monkeypatch.setenv("ALL_PROXY", f"socks5h://me:hidden@127.0.0.1:{port}")
        scheme = {"http": "http", "websocket": "ws"}[transport]
        try:
            with pytest.raises(OpenEnvGymError, match=f"socks5h://127.0.0.1:{port}") as caught:
                make(THREADED, transport, url=f"{scheme}://far.example:80", token="s3cret")
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10.0)
    assert isinstance(caught.value, ConnectError | MissingDependencyError)
    assert "hidden" not in str(caught.value)
    assert all(first[:1] == b"\x05" for first in seen)
    assert b"s3cret" not in b"".join(seen)


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "socks4://127.0.0.1:1"])
def test_proxy_of_no_known_kind(
    transport: str, proxy: str, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    if transport == "websocket" and proxy.startswith("socks4"):
        pytest.skip("the library of WebSockets knows it")
    monkeypatch.setenv("http_proxy", proxy.replace("//", "//me:hidden@"))
    with pytest.raises(OptionError, match=proxy) as caught:
        make(THREADED, transport, url=server.url(transport))
    assert "hidden" not in str(caught.value)


def test_proxy_that_is_not_there(
    transport: str, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with pytest.raises(ConnectError, match=r"proxy http://127\.0\.0\.1:1 does not connect"):
        make(THREADED, transport, url=server.url(transport))


# A client of the user's


def test_all_goes_by_the_client_that_is_given(server: Served) -> None:
    seen: list[httpx.Request] = []
    with httpx.Client(headers={"X-Mine": "yes"}, event_hooks={"request": [seen.append]}) as client:
        env = OpenEnvGym(
            THREADED,
            transport="http",
            url=server.url("http"),
            transport_options={"client": client},
        )
        env.reset()
        assert [count_of(env) for _ in range(3)] == [1, 2, 3]
        env.close()
        assert len(seen) == 6
        assert {request.headers["X-Mine"] for request in seen} == {"yes"}
        assert not client.is_closed


@pytest.mark.parametrize("size", [1, 100_000])
def test_each_step_runs_once_by_a_client_too(size: int, server: Served) -> None:
    faults = itertools.cycle(["before", "torn", "after", "mid", None])
    with Proxy(server.port) as proxy, httpx.Client() as client:
        env = OpenEnvGym(
            THREADED,
            transport="http",
            url=server.url("http", proxy.port),
            size=size,
            timeout=10.0,
            transport_options={"client": client},
        )
        got = list(trajectory(env, faults, proxy))
        env.close()
        assert proxy.accepted > 15
    plain = make(THREADED, "inprocess", size=size)
    assert_same_trajectory(got, list(trajectory(plain, itertools.repeat(None))))
    plain.close()


def test_environments_of_one_client_wait_side_by_side(server: Served) -> None:
    with httpx.Client() as client:
        envs = [
            OpenEnvGym(
                THREADED,
                transport="http",
                url=server.url("http"),
                delay=2.0,
                transport_options={"client": client},
            )
            for _ in range(6)
        ]
        for env in envs:
            env.reset()
        started = time.monotonic()
        for env in envs:
            env.link.send(Step(WAIT))
        replies = [env.link.receive(60.0) for env in envs]
        assert time.monotonic() - started < 10.0
        assert [reply.observation["count"] for reply in replies] == [1] * 6  # type: ignore[attr-defined]
        for env in envs:
            env.close()


def test_client_that_is_not_one(server: Served) -> None:
    url = server.url("http")
    with httpx.Client() as client:
        wrong: list[dict[str, Any]] = [
            {"url": url, "transport_options": {"client": "mine"}},
            {"url": url, "transport_options": {"client": httpx.Client}},
            {"url": url, "transport_options": {"client": client, "cert": "client.pem"}},
            {"transport_options": {"client": client}},
        ]
        for given in wrong:
            with pytest.raises(OptionError, match="client="):
                OpenEnvGym(THREADED, transport="http", **given)


def test_client_that_was_closed_too_early(server: Served) -> None:
    with httpx.Client() as client:
        env = OpenEnvGym(
            THREADED, transport="http", url=server.url("http"), transport_options={"client": client}
        )
        env.reset()
    with pytest.raises(SessionLostError, match="close it after the environment"):
        env.step(COUNT)
    env.close()
