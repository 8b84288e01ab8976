"""Both transports over the network: each step exactly once, and an end for everything."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import gymnasium
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    AuthenticationError,
    ConnectError,
    EnvironmentFailedError,
    EpisodeError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    OptionError,
    ServerFullError,
    SessionLostError,
    StartError,
)
from openenv_gym.messages import Step
from openenv_gym.testing import Transition, assert_same_trajectory
from tests.environments import COUNT, EXIT, FAIL, INLINE, SECRET, THREADED, WAIT
from tests.servers import Proxy, Served, eventually, is_running, kill, process, serving

TRANSPORTS = ["websocket", "http"]


@pytest.fixture(params=TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(THREADED) as served:
        yield served


@pytest.fixture(scope="module")
def inline_server() -> Iterator[Served]:
    with serving(INLINE) as served:
        yield served


def make(environment: str | None, transport: str, **keywords: Any) -> OpenEnvGym:
    return OpenEnvGym(environment, transport=transport, **keywords)


def count_of(env: OpenEnvGym, action: int = COUNT) -> int:
    return int(env.step(action)[0]["count"])


def trajectory(env: OpenEnvGym, faults: Iterator[str | None], proxy: Proxy | None = None) -> Any:
    """A reset and 20 steps, with a fault before each."""
    for number in range(21):
        if proxy is not None:
            proxy.fault = next(faults)
        if number == 0:
            observation, info = env.reset(seed=7)
            yield Transition(None, observation, 0.0, False, False, info)
        else:
            yield Transition(COUNT, *env.step(COUNT))


# What drops


@pytest.mark.parametrize("environment", [THREADED, INLINE])
@pytest.mark.parametrize("size", [1, 100_000])
def test_each_step_runs_exactly_once_whatever_drops(
    transport: str, environment: str, size: int, server: Served, inline_server: Served
) -> None:
    served = inline_server if environment == INLINE else server
    faults = itertools.cycle(["before", "torn", "after", "mid", None])
    with Proxy(served.port) as proxy:
        url = served.url(transport, proxy.port)
        env = make(environment, transport, url=url, size=size, timeout=10.0)
        got = list(trajectory(env, faults, proxy))
        env.close()
        assert proxy.accepted > 15
    plain = make(environment, "inprocess", size=size)
    wanted = list(trajectory(plain, itertools.repeat(None)))
    plain.close()
    assert_same_trajectory(got, wanted)
    assert [transition.observation["count"] for transition in got] == list(range(21))
    eventually(lambda: len(served.sessions) == 0)


@pytest.mark.parametrize("fault", ["torn", "after", "mid"])
def test_opening_survives_a_drop_and_takes_one_session(
    transport: str, fault: str, server: Served
) -> None:
    with Proxy(server.port) as proxy:
        # The first that a WebSocket sends is its handshake.
        proxy.spared = 1 if transport == "websocket" else 0
        proxy.fault = fault
        env = make(THREADED, transport, url=server.url(transport, proxy.port), timeout=10.0)
        env.reset()
        assert proxy.fault is None
        assert len(server.sessions) == 1
        env.close()
    eventually(lambda: len(server.sessions) == 0)


def test_repeat_waits_for_the_step_that_still_runs(transport: str, server: Served) -> None:
    with Proxy(server.port) as proxy:
        env = make(
            THREADED, transport, url=server.url(transport, proxy.port), delay=1.0, timeout=10.0
        )
        env.reset()
        threading.Timer(0.3, proxy.drop).start()
        assert count_of(env, WAIT) == 1
        assert count_of(env) == 2
        env.close()


def test_idle_connection_that_dropped_is_replaced(transport: str, server: Served) -> None:
    with Proxy(server.port) as proxy:
        env = make(THREADED, transport, url=server.url(transport, proxy.port))
        env.reset()
        for number in range(1, 4):
            proxy.drop()
            assert count_of(env) == number
        env.close()


def test_server_that_came_back_does_not_know_the_session(transport: str, server: Served) -> None:
    env = make(THREADED, transport, url=server.url(transport), timeout=5.0)
    env.reset()
    assert count_of(env) == 1
    for id in list(server.sessions._sessions):
        server.sessions._forget(id)
    with pytest.raises(SessionLostError, match="Make a new environment"):
        env.step(COUNT)
    with pytest.raises(EpisodeError, match="reset"):
        env.step(COUNT)
    with pytest.raises(SessionLostError):
        env.reset()
    env.close()


def test_server_that_does_not_come_back(transport: str) -> None:
    with serving(THREADED) as served:
        env = make(THREADED, transport, url=served.url(transport), timeout=1.0)
        env.reset()
    started = time.monotonic()
    with pytest.raises(SessionLostError, match="could not be restored"):
        env.step(COUNT)
    assert 0.5 < time.monotonic() - started < 3.0
    started = time.monotonic()
    env.close()
    assert time.monotonic() - started < 1.0


# What hangs


def test_late_reply_is_not_taken_for_the_new_one(transport: str, server: Served) -> None:
    env = make(THREADED, transport, url=server.url(transport), delay=1.0, timeout=0.4)
    env.reset(seed=1)
    started = time.monotonic()
    with pytest.raises(ExchangeTimeoutError, match=r"No reply within 0\.4 s"):
        env.step(WAIT)
    assert 0.3 < time.monotonic() - started < 0.9
    with pytest.raises(EpisodeError, match="reset"):
        env.step(COUNT)
    with pytest.raises(ExchangeTimeoutError):
        env.reset(seed=2)
    time.sleep(0.5)
    observation, _ = env.reset(seed=3)
    assert observation["count"] == 0
    plain = make(THREADED, "inprocess")
    assert observation["noise"].tobytes() == plain.reset(seed=3)[0]["noise"].tobytes()
    assert count_of(env) == 1
    plain.close()
    env.close()


def test_request_that_was_given_up_before_it_arrived(transport: str, server: Served) -> None:
    """The server must take the next number all the same."""
    with Proxy(server.port) as proxy:
        env = make(THREADED, transport, url=server.url(transport, proxy.port), timeout=0.5)
        env.reset()
        proxy.upstream = 1  # nothing listens there
        proxy.drop()
        with pytest.raises(OpenEnvGymError):
            env.step(COUNT)
        proxy.upstream = server.port
        assert env.reset()[0]["count"] == 0
        assert count_of(env) == 1
        env.close()


def test_step_that_hangs_holds_only_its_own_session(transport: str) -> None:
    with serving(THREADED) as served:
        url = served.url(transport)
        hung = make(THREADED, transport, url=url, delay=1.5)
        hung.reset()
        thread = threading.Thread(target=count_of, args=(hung, WAIT))
        thread.start()
        other = make(THREADED, transport, url=url)
        other.reset()
        started = time.monotonic()
        assert [count_of(other) for _ in range(20)] == list(range(1, 21))
        assert time.monotonic() - started < 1.0
        thread.join()
        hung.close()
        other.close()


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
    with serving(THREADED, idle_timeout=0.3) as served:
        env = make(THREADED, transport, url=served.url(transport), delay=1.0)
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
    envs = [make(THREADED, transport, url=server.url(transport), delay=0.5) for _ in range(6)]
    for env in envs:
        env.reset()
    started = time.monotonic()
    for env in envs:
        env.transport.send(Step(WAIT))
    replies = [env.transport.receive(10.0) for env in envs]
    assert time.monotonic() - started < 1.5
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
    assert time.monotonic() - started < 1.0


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
    make(THREADED, transport, url=server.url(transport) + path).close()
    make(THREADED, transport, url=server.url(transport) + "/").close()


def test_isolation_at_a_url(transport: str, server: Served) -> None:
    env = make(THREADED, transport, url=server.url(transport))
    assert env.isolation["boundary"] == "remote"
    assert str(server.port) in env.isolation["url"]
    env.close()


# Servers of our own


def test_own_server(transport: str) -> None:
    env = gymnasium.make("openenv/Gymnasium-v0", env_id="CartPole-v1", transport=transport)
    isolation = env.unwrapped.isolation  # type: ignore[attr-defined]
    assert isolation["boundary"] == "process"
    env.reset(seed=1)
    env.step(env.action_space.sample())
    env.close()
    assert not is_running(isolation["pid"])


def test_own_server_tells_what_errors_say_and_dies_with_its_fate(transport: str) -> None:
    env = make(THREADED, transport, delay=30.0)
    env.reset()
    with pytest.raises(EnvironmentFailedError, match=SECRET):
        env.step(FAIL)
    env.reset()
    pid = env.isolation["pid"]
    threading.Timer(0.3, kill, (pid,)).start()
    started = time.monotonic()
    with pytest.raises(SessionLostError, match="was killed by SIGKILL") as caught:
        env.step(WAIT)
    assert time.monotonic() - started < 2.0
    assert "SIGKILL" in caught.value.fields["fate"]
    env.close()


def test_own_server_that_does_not_start(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    started = time.monotonic()
    with pytest.raises(StartError, match="exited with 1"):
        make(THREADED, transport)
    assert time.monotonic() - started < 3.0


def test_own_server_that_is_not_there_in_time() -> None:
    options = {"start_timeout": 1.0}
    with pytest.raises(StartError, match="within 1 s"):
        make(THREADED, "websocket", slow=30.0, transport_options=options)


def test_close_while_a_step_hangs_ends_the_own_server() -> None:
    env = make(THREADED, "websocket", delay=60.0, timeout=0.5)
    env.reset()
    with pytest.raises(ExchangeTimeoutError):
        env.step(WAIT)
    pid = env.isolation["pid"]
    started = time.monotonic()
    env.close()
    assert not is_running(pid)
    assert time.monotonic() - started < 13.0


_CLIENT = """
import sys
from openenv_gym.env import OpenEnvGym
from tests.environments import THREADED, WAIT
transport, url = sys.argv[1:]
env = OpenEnvGym(THREADED, transport=transport, url=url or None, delay=2.0)
env.reset()
print(env.isolation.get("pid", 0), flush=True)
env.step(WAIT)
"""


def killed_client(transport: str, url: str) -> int:
    """Kills a client in the midst of a step; gives the process of the server that it owned."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", _CLIENT, transport, url], stdout=subprocess.PIPE, env=environment
    ) as client:
        assert client.stdout is not None
        pid = int(client.stdout.readline())
        time.sleep(0.5)
        client.send_signal(signal.SIGKILL)
    return pid


def test_killed_client_takes_its_server_along() -> None:
    pid = killed_client("websocket", "")
    eventually(lambda: not is_running(pid), 10.0)


def test_killed_client_leaves_no_session_behind(transport: str) -> None:
    with process(THREADED, "--resume-timeout", "0.5", "--max-sessions", "1") as (_, port):
        scheme = {"websocket": "ws", "http": "http"}[transport]
        url = f"{scheme}://127.0.0.1:{port}"
        killed_client(transport, url)

        def has_place() -> bool:
            try:
                make(THREADED, transport, url=url).close()
            except ServerFullError:
                return False
            return True

        eventually(has_place, 10.0)
