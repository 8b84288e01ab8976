"""Both transports over the network: sessions and their ends, errors, addresses, tokens."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from openenv_gym.errors import (
    AuthenticationError,
    ConnectError,
    EnvironmentFailedError,
    EpisodeError,
    OptionError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.wire.messages import Step
from tests.environments import COUNT, EXIT, FAIL, SECRET, THREADED, WAIT
from tests.servers import Served, eventually, serving
from tests.transports.clients import count_of, make

# Sessions


def test_two_clients_are_separate(transport: str, server: Served) -> None:
    one, other = (make(THREADED, transport, url=server.url(transport)) for _ in range(2))
    first, second = one.reset(seed=1)[0], other.reset(seed=1)[0]
    assert first["noise"].tobytes() == second["noise"].tobytes()
    assert [count_of(one), count_of(one), count_of(other), count_of(one)] == [1, 2, 1, 3]
    one.close()
    assert count_of(other) == 2
    other.close()


def test_32_sessions_at_once(transport: str, server: Served) -> None:
    wrong: list[Any] = []

    def run(seed: int) -> None:
        env = make(THREADED, transport, url=server.url(transport))
        env.reset(seed=seed)
        counts = [count_of(env) for _ in range(30)]
        if counts != list(range(1, 31)):
            wrong.append(counts)
        env.close()

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    eventually(lambda: len(server.sessions) == 0)


def test_full_server(transport: str) -> None:
    with serving(THREADED, max_sessions=1) as served:
        first = make(THREADED, transport, url=served.url(transport))
        with pytest.raises(ServerFullError, match="free") as caught:
            make(THREADED, transport, url=served.url(transport))
        assert caught.value.fields["free"] == 0
        first.close()
        for _ in range(5):  # the place is free as soon as close() returns
            make(THREADED, transport, url=served.url(transport)).close()


def test_failed_opening_takes_no_place(transport: str) -> None:
    with serving(THREADED, max_sessions=1) as served:
        for _ in range(3):
            with pytest.raises(OptionError, match="nonsense"):
                make(THREADED, transport, url=served.url(transport), nonsense=1)
        make(THREADED, transport, url=served.url(transport)).close()


def test_idle_session_ends(transport: str) -> None:
    with serving(THREADED, idle_timeout=0.3) as served:
        env = make(THREADED, transport, url=served.url(transport))
        env.reset()
        eventually(lambda: len(served.sessions) == 0)
        with pytest.raises(SessionLostError, match="idle"):
            env.step(COUNT)
        env.close()


def test_step_longer_than_the_idle_timeout(transport: str) -> None:
    with serving(THREADED, idle_timeout=1.0) as served:  # no less: this process may be slow, too
        env = make(THREADED, transport, url=served.url(transport), delay=2.0)
        env.reset()
        assert count_of(env, WAIT) == 1
        env.close()


def test_environment_of_the_server_need_not_be_named(transport: str, server: Served) -> None:
    env = make(None, transport, url=server.url(transport))
    assert env.reset()[0]["count"] == 0
    env.close()
    env.close()
    with pytest.raises(EpisodeError, match="closed"):
        env.step(COUNT)


def test_vector_of_requests_runs_side_by_side(transport: str, server: Served) -> None:
    envs = [make(THREADED, transport, url=server.url(transport), delay=3.0) for _ in range(6)]
    for env in envs:
        env.reset()
    started = time.monotonic()
    for env in envs:
        env.link.send(Step(WAIT))
    replies = [env.link.receive(60.0) for env in envs]
    assert time.monotonic() - started < 15.0
    assert [reply.observation["count"] for reply in replies] == [1] * 6  # type: ignore[attr-defined]
    for env in envs:
        env.close()


# Errors


def test_errors_of_the_environment_stay_on_the_server(transport: str, server: Served) -> None:
    env = make(THREADED, transport, url=server.url(transport))
    env.reset()
    with pytest.raises(EnvironmentFailedError, match="RuntimeError") as caught:
        env.step(FAIL)
    assert SECRET not in str(caught.value) + str(caught.value.fields)
    env.reset()
    with pytest.raises(EnvironmentFailedError, match="SystemExit"):
        env.step(EXIT)
    env.reset()
    assert count_of(env) == 1
    env.close()


def test_errors_of_the_environment_are_told_in_debug(transport: str) -> None:
    with serving(THREADED, debug=True) as served:
        env = make(THREADED, transport, url=served.url(transport))
        env.reset()
        with pytest.raises(EnvironmentFailedError, match=SECRET):
            env.step(FAIL)
        env.close()


def test_token(transport: str) -> None:
    with serving(THREADED, token="right") as served:
        url = served.url(transport)
        for token, problem in (("wrong", "is wrong"), (None, "is missing")):
            with pytest.raises(AuthenticationError, match=problem):
                make(THREADED, transport, url=url, token=token)
        env = make(THREADED, transport, url=url, token="right")
        env.reset()
        assert count_of(env) == 1
        env.close()


def test_no_server(transport: str, server: Served) -> None:
    started = time.monotonic()
    with pytest.raises(ConnectError, match="No server answers"):
        make(THREADED, transport, url=server.url(transport, 1))
    assert time.monotonic() - started < 20.0


@pytest.mark.parametrize(
    "url", ["ftp://host", "host:80", "ws://", "http://", "ws://a:b@c", "http://a/?token=b"]
)
def test_url_that_is_none(transport: str, url: str) -> None:
    with pytest.raises(OptionError):
        make(THREADED, transport, url=url)


def test_url_of_the_other_transport(server: Served) -> None:
    with pytest.raises(OptionError, match="transport='http'"):
        make(THREADED, "websocket", url=server.url("http"))
    with pytest.raises(OptionError, match="transport='websocket'"):
        make(THREADED, "http", url=server.url("websocket"))


def test_token_without_a_url(transport: str) -> None:
    with pytest.raises(OptionError, match="token"):
        make(THREADED, transport, token="secret")


def test_url_with_the_path_of_the_face(transport: str, server: Served) -> None:
    path = {"websocket": "/ws", "http": "/exchange"}[transport]
    for suffix in (path, "/"):
        env = make(THREADED, transport, url=server.url(transport) + suffix)
        env.reset()
        assert count_of(env) == 1
        env.close()


def test_isolation_at_a_url(transport: str, server: Served) -> None:
    env = make(THREADED, transport, url=server.url(transport))
    assert env.isolation["boundary"] == "remote"
    assert str(server.port) in env.isolation["url"]
    env.close()
