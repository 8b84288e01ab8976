"""Both transports over the network with a server of their own: it ends as they do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import gymnasium
import pytest

from openenv_gym.errors import (
    EnvironmentFailedError,
    ExchangeTimeoutError,
    ServerFullError,
    SessionLostError,
    StartError,
)
from tests.environments import FAIL, SECRET, THREADED, WAIT
from tests.servers import eventually, is_running, kill, process
from tests.transports.clients import make


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
    assert time.monotonic() - started < 20.0
    assert "SIGKILL" in caught.value.fields["fate"]
    env.close()


def test_own_server_that_does_not_start(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    started = time.monotonic()
    with pytest.raises(StartError, match="exited with 1"):
        make(THREADED, transport)
    assert time.monotonic() - started < 20.0


def test_own_server_that_is_not_there_in_time() -> None:
    options = {"start_timeout": 1.0}
    with pytest.raises(StartError, match="within 1 s"):
        make(THREADED, "websocket", slow=30.0, transport_options=options)


def test_close_while_a_step_hangs_ends_the_own_server() -> None:
    env = make(THREADED, "websocket", delay=60.0, timeout=2.0)
    env.reset()
    with pytest.raises(ExchangeTimeoutError):
        env.step(WAIT)
    pid = env.isolation["pid"]
    started = time.monotonic()
    env.close()
    assert not is_running(pid)
    assert time.monotonic() - started < 40.0


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
    eventually(lambda: not is_running(pid))


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

        eventually(has_place)
