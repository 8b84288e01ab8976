"""Both transports over the network: each step exactly once, whatever drops or hangs."""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    EpisodeError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    SessionLostError,
)
from openenv_gym.testing import Transition, assert_same_trajectory
from openenv_gym_transports.links import reconnecting
from tests.environments import COUNT, INLINE, THREADED, WAIT
from tests.faults.proxy import Proxy
from tests.servers import Served, eventually, process, serving
from tests.transports.clients import count_of, make


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


def test_repeat_waits_for_the_step_that_still_runs(
    transport: str, server: Served, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(server.port) as proxy:
        env = make(
            THREADED, transport, url=server.url(transport, proxy.port), delay=1.0, timeout=10.0
        )
        env.reset()
        threading.Timer(0.3, proxy.drop).start()
        assert count_of(env, WAIT) == 1
        assert count_of(env) == 2
        env.close()
    if transport == "websocket":  # one connection, whose user sees at once why it waits
        said = [record.getMessage() for record in caplog.records if "connection" in record.msg]
        assert [text.split()[-1] for text in said] == ["again.", "restored."]


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


def test_server_that_does_not_come_back(transport: str, server: Served) -> None:
    with Proxy(server.port) as proxy:
        env = make(THREADED, transport, url=server.url(transport, proxy.port), timeout=1.0)
        env.reset()
    started = time.monotonic()
    with pytest.raises(SessionLostError, match="could not be restored"):
        env.step(COUNT)
    assert 0.5 < time.monotonic() - started < 30.0
    env.close()


def test_server_that_ends(transport: str) -> None:
    """It says so, and nobody waits for it."""
    with serving(THREADED) as served:
        env = make(THREADED, transport, url=served.url(transport), timeout=None)
        env.reset()
    for _ in range(2):
        with pytest.raises(SessionLostError, match="has ended, and the session with it"):
            env.reset()
    env.close()


@contextmanager
def terminated_in_a_step(transport: str, delay: float) -> Iterator[OpenEnvGym]:
    """An environment whose server is told to end as soon as the next step has reached it."""
    with process(THREADED) as (server, port), Proxy(port) as proxy:
        scheme = {"websocket": "ws", "http": "http"}[transport]
        url = f"{scheme}://127.0.0.1:{proxy.port}"
        env = make(THREADED, transport, url=url, delay=delay, timeout=None)
        env.reset()
        proxy.spared, proxy.fault = 1, "before"

        def end() -> None:
            eventually(lambda: proxy.spared == 0, 60.0)
            proxy.fault = None
            server.terminate()

        thread = threading.Thread(target=end)
        thread.start()
        try:
            yield env
        finally:
            thread.join(60.0)
            env.close()


def test_server_that_ends_while_a_step_runs(transport: str) -> None:
    """The reply to the step is delivered first."""
    with terminated_in_a_step(transport, delay=1.0) as env:
        assert count_of(env, WAIT) == 1


def test_server_that_ends_while_a_step_hangs(transport: str) -> None:
    with (
        terminated_in_a_step(transport, delay=600.0) as env,
        pytest.raises(SessionLostError, match="has ended"),
    ):
        env.step(WAIT)


LEAVING = """
import sys
from openenv_gym.env import OpenEnvGym

environment, transport, url, end = sys.argv[1:]
env = OpenEnvGym(environment, transport=transport, url=url, delay=600.0)
env.reset()
if end == "dropped":
    del env
    print("dropped", flush=True)
    sys.stdin.read()
if end == "killed":
    print("there", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["exit", "dropped", "killed"])
def test_environment_that_is_not_closed(
    transport: str, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its place is free when the program ends, or drops it; soon where it was killed."""
    if end == "killed":
        monkeypatch.setattr("openenv_gym.server.sessions._GONE", 0.1)
    with serving(THREADED, max_sessions=1) as served:
        child = subprocess.Popen(
            [sys.executable, "-W", "error", "-c", LEAVING]
            + [THREADED, transport, served.url(transport), end],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with child:
            assert child.stdout is not None
            if end != "exit":
                assert child.stdout.readline()
            if end == "killed":
                assert len(served.sessions) == 1
                child.kill()
            if end == "exit":
                assert child.wait(60.0) == 0
            eventually(lambda: len(served.sessions) == 0, 30.0)
            _, errors = child.communicate(timeout=60.0)
        assert not errors


def test_forked_copy_does_not_end_the_session(transport: str, server: Served) -> None:
    code = (
        LEAVING
        + """
import os
pid = os.fork()
if pid == 0:
    sys.exit()
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
env.reset()
env.close()
"""
    )
    done = subprocess.run(
        [sys.executable, "-c", code, THREADED, transport, server.url(transport), "none"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60.0,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# What hangs


def test_late_reply_is_not_taken_for_the_new_one(transport: str, server: Served) -> None:
    env = make(THREADED, transport, url=server.url(transport), delay=6.0, timeout=1.5)
    env.reset(seed=1)
    with pytest.raises(ExchangeTimeoutError, match=r"No reply within 1\.5 s"):
        env.step(WAIT)
    with pytest.raises(EpisodeError, match="reset"):
        env.step(COUNT)
    with pytest.raises(ExchangeTimeoutError):
        env.reset(seed=2)
    observation, _ = eventually(lambda: _reset(env, seed=3))
    assert observation["count"] == 0
    plain = make(THREADED, "inprocess")
    assert observation["noise"].tobytes() == plain.reset(seed=3)[0]["noise"].tobytes()
    assert count_of(env) == 1
    plain.close()
    env.close()


def _reset(env: OpenEnvGym, seed: int) -> tuple[Any, dict[str, Any]] | None:
    try:
        return env.reset(seed=seed)
    except ExchangeTimeoutError:
        return None


def test_request_that_was_given_up_before_it_arrived(transport: str, server: Served) -> None:
    """The server must take the next number all the same."""
    with Proxy(server.port) as proxy:
        env = make(THREADED, transport, url=server.url(transport, proxy.port), timeout=2.0)
        env.reset()
        proxy.upstream = 1  # nothing listens there
        proxy.drop()
        with pytest.raises(OpenEnvGymError):
            env.step(COUNT)
        proxy.upstream = server.port
        assert env.reset()[0]["count"] == 0
        assert count_of(env) == 1
        env.close()


def test_connection_that_is_dead_without_a_sign(
    transport: str, server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reply is asked for again well before the time limit."""
    monkeypatch.setattr(reconnecting, "SILENCE", 0.5)
    with Proxy(server.port) as proxy:
        url = server.url(transport, proxy.port)
        env = make(THREADED, transport, url=url, timeout=60.0)
        env.reset()
        proxy.fault = "mute"
        assert count_of(env) == 1
        assert proxy.accepted > 1
        env.close()


def test_step_that_hangs_holds_only_its_own_session(transport: str) -> None:
    with serving(THREADED) as served:
        url = served.url(transport)
        hung = make(THREADED, transport, url=url, delay=8.0)
        hung.reset()
        thread = threading.Thread(target=count_of, args=(hung, WAIT))
        thread.start()
        other = make(THREADED, transport, url=url)
        other.reset()
        assert [count_of(other) for _ in range(20)] == list(range(1, 21))
        assert thread.is_alive()
        thread.join()
        hung.close()
        other.close()
