"""What whoever runs a server needs: its numbers, its log, and its end."""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import gymnasium
import pytest
from prometheus_client.parser import text_string_to_metric_families

import openenv_gym  # registers the ids
from openenv_gym.errors import (
    EnvironmentFailedError,
    ServerClosingError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.server.backend import BackendSettings
from openenv_gym.testing import Env
from tests.environments import COUNT, FAIL, THREADED
from tests.servers import eventually, process, serving

FACES = {"websocket": "ws", "http": "http"}
TOKEN = "a-token-that-is-not-for-logs"


def get(port: int, path: str, token: str | None = None) -> tuple[int, str]:
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def connect(port: int, transport: str = "websocket", **keywords: Any) -> Env:
    url = f"{FACES[transport]}://127.0.0.1:{port}"
    return gymnasium.make(
        "openenv/Remote-v0", transport=transport, url=url, disable_env_checker=True, **keywords
    )


def numbers(port: int, token: str | None = None) -> dict[tuple[str, ...], float]:
    """The metrics, by name and the values of their labels but the environment's."""
    status, text = get(port, "/metrics", token)
    assert status == 200
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = [value for key, value in sample.labels.items() if key != "environment"]
            found[sample.name, *labels] = sample.value
    return found


@pytest.mark.parametrize("backend", [BackendSettings(), BackendSettings(workers=1)])
def test_metrics(backend: BackendSettings) -> None:
    with (
        serving(THREADED, backend=backend, max_sessions=1, token=TOKEN) as server,
        connect(server.port, token=TOKEN) as env,
    ):
        env.reset()
        for _ in range(3):
            env.step(COUNT)
        with pytest.raises(EnvironmentFailedError):
            env.step(FAIL)
        with pytest.raises(ServerFullError):
            connect(server.port, token=TOKEN)
        found = numbers(server.port, TOKEN)
    assert found["openenv_gym_sessions",] == found["openenv_gym_sessions_limit",] == 1
    assert found["openenv_gym_sessions_opened_total",] == 1
    assert found["openenv_gym_steps_total",] == 4
    assert found["openenv_gym_step_seconds_count",] == 4
    assert found["openenv_gym_step_seconds_bucket", "+Inf"] == 4
    assert found["openenv_gym_step_seconds_sum",] > 0
    assert found["openenv_gym_reset_seconds_count",] == 1
    assert found["openenv_gym_requests_pending",] == 0
    assert found["openenv_gym_errors_total", "EnvironmentFailedError"] == 1
    assert found["openenv_gym_errors_total", "ServerFullError"] == 1
    assert found["process_resident_memory_bytes",] > 0
    if backend.workers:
        assert found["openenv_gym_worker_sessions", "0"] == 1
        assert found["openenv_gym_worker_memory_bytes", "0"] > 1 << 20
        assert found["openenv_gym_worker_restarts_total",] == 0


def test_steps_of_a_vector_count_for_each_lane() -> None:
    with serving("connect4") as server:
        envs = gymnasium.make_vec(
            "openenv/Connect4-v0", 3, transport="websocket", url=server.url("websocket")
        )
        envs.reset(seed=1)
        envs.step([3, 3, 3])
        envs.close()
        found = numbers(server.port)
    assert found["openenv_gym_steps_total",] == 3
    assert found["openenv_gym_step_seconds_count",] == 1
    assert found["openenv_gym_sessions_opened_total",] == 3


def test_metrics_are_closed_to_strangers_and_readiness_is_not() -> None:
    with serving("connect4", token=TOKEN) as server:
        assert get(server.port, "/metrics")[0] == 401
        assert get(server.port, "/metrics", TOKEN)[0] == 200
        assert get(server.port, "/ready") == (200, '{"status":"ready"}')


def test_without_prometheus_the_route_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "openenv_gym.server.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with serving("connect4") as server:
        status, text = get(server.port, "/metrics")
    assert status == 501
    assert "openenv-gym[server]" in text


@contextmanager
def draining(
    seconds: float, environment: str = THREADED
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    with process(environment, "--drain-timeout", str(seconds)) as (server, port):
        eventually(lambda: _answers(port))
        yield server, port


def _answers(port: int) -> bool:
    try:
        return get(port, "/ready")[0] == 200
    except OSError:
        return False


def test_running_sessions_go_on_and_new_ones_are_refused() -> None:
    with draining(60.0) as (server, port):
        env = connect(port)
        env.reset()
        server.terminate()
        eventually(lambda: get(port, "/ready")[0] == 503)
        assert get(port, "/health")[0] == 503
        for _ in range(3):
            env.step(COUNT)
        for transport in FACES:
            with pytest.raises(ServerClosingError, match="no new sessions"):
                connect(port, transport)
        env.close()
        assert server.wait(10.0) == -signal.SIGTERM


def step_on(env: Env) -> None:
    for count in itertools.count(1):
        assert env.step(COUNT)[0]["count"] == count


@pytest.mark.parametrize("transport", FACES)
def test_when_the_time_is_over_clients_are_told(transport: str) -> None:
    """Each step up to then was carried out once, and nobody goes on trying."""
    with draining(0.5) as (server, port):
        env = connect(port, transport, timeout=None)
        env.reset()
        server.terminate()
        with pytest.raises(ServerClosingError):
            step_on(env)
        began = monotonic()
        with pytest.raises(SessionLostError):
            env.reset()
        env.close()
        assert monotonic() - began < 5.0
        assert server.wait(10.0) == -signal.SIGTERM


def test_a_second_signal_ends_at_once() -> None:
    with draining(60.0) as (server, port):
        env = connect(port)
        env.reset()
        server.terminate()
        eventually(lambda: get(port, "/ready")[0] == 503)
        server.terminate()
        server.wait(5.0)
        with pytest.raises(ServerClosingError):
            env.step(COUNT)
        env.close()


def test_a_log_in_json_has_no_secret(tmp_path: Path) -> None:
    log = tmp_path / "log"
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENENV_GYM_TOKEN": TOKEN}
    arguments = ["--log-format", "json", "--idle-timeout", "0.5", "--debug"]
    with process(THREADED, *arguments, log=log, variables=variables) as (_, port):
        envs = [connect(port, transport, token=TOKEN) for transport in FACES]
        for env in envs:
            env.reset()
            with pytest.raises(EnvironmentFailedError):
                env.step(FAIL)
        with pytest.raises(openenv_gym.errors.AuthenticationError):
            connect(port, token="wrong")
        eventually(lambda: "a session ends" in log.read_text())
        ids = [each.unwrapped.link._server.headers["X-Session-ID"] for each in envs]
        for env in envs:
            env.close()
    text = log.read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"time", "level", "logger", "message"} <= set(lines[0])
    assert not any(secret in text for secret in (TOKEN, *ids))
