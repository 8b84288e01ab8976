"""Servers whose sessions run elsewhere: in worker processes, in containers."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gymnasium
import pytest

import openenv_gym  # registers the ids
from openenv_gym.errors import (
    EnvironmentFailedError,
    OpenEnvGymError,
    OptionError,
    ServerFullError,
    SessionLostError,
    SnapshotError,
    StepTimeoutError,
)
from openenv_gym.server.backend import LIMITS, BackendSettings
from openenv_gym.testing import Env, Transition, play, same
from openenv_gym.wire.messages import Call, Restore, Snapshot, Step
from openenv_gym_transports.websocket import WebSocketTransport
from tests.environments import COUNT, FAIL, SECRET
from tests.faults.proxy import Proxy
from tests.servers import Served, eventually, is_running, kill, serving
from tests.troubles import AT_ONCE, HANG, LEAVE, TROUBLE
from tests.troubles import COUNT as GO_ON

HOLDING = "tests.server.test_watcher:Holding"
COUNTING = "tests.environments:Counting"
FACES = ["websocket", "http"]


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving("connect4", backend=BackendSettings(workers=2)) as server:
        yield server


def connect(server: Served, transport: str = "websocket", id: str = "openenv/Remote-v0") -> Env:
    return gymnasium.make(
        id, transport=transport, url=server.url(transport), disable_env_checker=True
    )


def trajectory(env: Env) -> list[Transition]:
    with env:
        return list(play(env, seed=5, steps=40))


@pytest.mark.parametrize("transport", FACES)
def test_the_trajectory_is_the_same(served: Served, transport: str) -> None:
    got = trajectory(connect(served, transport, "openenv/Connect4-v0"))
    assert same(got, trajectory(gymnasium.make("openenv/Connect4-v0")))


def test_vectors(served: Served) -> None:
    vector = gymnasium.make_vec(
        "openenv/Connect4-v0", 4, transport="websocket", url=served.url("websocket"), workers=2
    )
    plain = gymnasium.make_vec("openenv/Connect4-v0", 4)
    try:
        actions = plain.action_space
        actions.seed(1)
        assert same(vector.reset(seed=3), plain.reset(seed=3))
        for _ in range(20):
            action = actions.sample()
            assert same(vector.step(action), plain.step(action))
    finally:
        vector.close()
        plain.close()


def post(server: Served, path: str, body: dict[str, Any], cookie: str = "") -> tuple[Any, str]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        json.dumps(body).encode(),
        {"content-type": "application/json", "cookie": cookie},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response), response.headers.get("set-cookie", "").partition(";")[0]


def test_clients_of_openenvs_protocol(served: Served) -> None:
    first, cookie = post(served, "/reset", {"seed": 3})
    assert first["done"] is False
    stepped, _ = post(served, "/step", {"action": {"column": 3}}, cookie)
    assert stepped["observation"] != first["observation"]
    with serving("connect4") as plain:
        _, other = post(plain, "/reset", {"seed": 3})
        assert stepped == post(plain, "/step", {"action": {"column": 3}}, other)[0]


def test_sessions_are_spread_over_the_workers() -> None:
    with serving("connect4", backend=BackendSettings(workers=2)) as server:
        pool: Any = server.sessions.backend
        envs = [connect(server) for _ in range(4)]
        try:
            counts = [each["sessions"] for each in pool.transport.statistics()["workers"]]
            assert counts == [2, 2]
        finally:
            for env in envs:
                env.close()


@pytest.mark.parametrize("fault", ["before", "torn", "after", "mid"])
def test_a_step_runs_once_though_the_connection_drops(fault: str) -> None:
    with (
        serving(COUNTING, backend=BackendSettings(workers=1)) as server,
        Proxy(server.port) as proxy,
    ):
        url = server.url("websocket", proxy.port)
        with gymnasium.make("openenv/Remote-v0", transport="websocket", url=url) as env:
            env.reset(seed=1)
            for step in range(1, 6):
                proxy.fault = fault
                observation, *_ = env.step(COUNT)
                assert observation["count"] == step


def test_a_step_that_hangs_costs_its_own_worker_only() -> None:
    settings = BackendSettings(workers=2, limits=replace(LIMITS, step=1.0))
    with serving(TROUBLE, backend=settings) as server:
        hung, other = connect(server), connect(server)
        with hung, other:
            hung.reset()
            other.reset()
            with pytest.raises(StepTimeoutError, match="limit of 1 s"):
                hung.step(HANG)
            assert other.step(GO_ON)[0] == 1
            with pytest.raises(SessionLostError):
                hung.reset()
            eventually(lambda: len(server.sessions) == 1)  # its slot is free
            with connect(server) as again:  # in a worker that takes the place of the other
                again.reset()
                assert again.step(GO_ON)[0] == 1
            assert other.step(GO_ON)[0] == 2


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers wait half a second for a client that left, and as long for a step to end."""
    monkeypatch.setattr("openenv_gym.server.sessions._GONE_BUSY", 0.5)
    monkeypatch.setattr("openenv_gym.server.sessions.CLOSE_LIMIT", 0.5)


def leave(env: Env, action: int) -> None:
    """Send a step, and hang up."""
    link = env.unwrapped.link
    link.send(Step(action))
    link._hang_up()


@pytest.mark.usefixtures("impatient")
def test_a_client_that_leaves_a_long_step_ends_no_session_beside_it() -> None:
    with serving(TROUBLE, backend=BackendSettings(workers=1)) as server:
        pool: Any = server.sessions.backend
        leaving, other = connect(server), connect(server)
        with leaving, other:
            leaving.reset()
            other.reset()
            [worker] = pool.transport.statistics()["workers"]
            leave(leaving, HANG)
            eventually(lambda: len(server.sessions) == 1)  # its slot is free
            with connect(server) as again:  # in a fresh worker
                again.reset()
                assert again.step(GO_ON)[0] == 1
            assert other.step(GO_ON)[0] == 1
            assert is_running(worker["pid"])
        eventually(lambda: not is_running(worker["pid"]))  # with its last session


@pytest.mark.usefixtures("impatient")
def test_a_client_that_leaves_a_step_which_holds_the_lock_ends_its_worker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with serving(HOLDING, backend=BackendSettings(workers=1)) as server:
        leaving, other = connect(server), connect(server)
        leaving.reset()
        other.reset()
        # Only once the worker was asked whether it still answers.
        monkeypatch.setattr("openenv_gym_transports.links.pipe.HANDSHAKE_LIMIT", 1.0)
        leave(leaving, 0)
        with pytest.raises(SessionLostError):
            other.reset()
        with connect(server) as again:
            again.reset()
        leaving.close()
        other.close()


def test_a_worker_that_dies_is_replaced() -> None:
    with serving(TROUBLE, backend=BackendSettings(workers=1)) as server:
        with connect(server) as env:
            env.reset()
            with pytest.raises(SessionLostError, match="exited with 7"):
                env.step(LEAVE)
        with connect(server) as env:
            env.reset()
            assert env.step(GO_ON)[0] == 1
            [worker] = server.sessions.backend.transport.statistics()["workers"]
            kill(worker["pid"])
            with pytest.raises(SessionLostError):
                env.step(GO_ON)


def test_workers_end_with_the_server() -> None:
    with serving(COUNTING, backend=BackendSettings(workers=2)) as server:
        pool: Any = server.sessions.backend
        eventually(lambda: len(pool.transport.statistics()["workers"]) == 2)
        pids = [each["pid"] for each in pool.transport.statistics()["workers"]]
    eventually(lambda: not any(map(is_running, pids)), AT_ONCE)


def test_a_worker_that_takes_too_much_memory() -> None:
    with (
        serving(COUNTING, backend=BackendSettings(workers=1, worker_memory=1 << 20)) as server,
        connect(server) as env,
        pytest.raises(SessionLostError, match="more memory"),
    ):
        _reset_until_it_fails(env)


def _reset_until_it_fails(env: Env) -> None:
    while True:
        env.reset()


def test_a_worker_is_replaced_between_sessions_after_so_many_steps() -> None:
    with serving(COUNTING, backend=BackendSettings(workers=1, worker_max_steps=3)) as server:
        pids = set()
        for _ in range(2):
            with connect(server) as env:
                env.reset()
                for _ in range(4):
                    env.step(COUNT)
                [worker] = server.sessions.backend.transport.statistics()["workers"]
                pids.add(worker["pid"])
            eventually(lambda: not server.sessions.backend.transport.statistics()["workers"])
        assert len(pids) == 2


def test_a_worker_takes_so_many_sessions() -> None:
    settings = BackendSettings(workers=1, sessions_per_worker=1)
    with (
        serving(COUNTING, backend=settings) as server,
        connect(server),
        pytest.raises(ServerFullError, match="sessions-per-worker"),
    ):
        connect(server)


def test_spare_sessions_are_opened_and_reset_ahead() -> None:
    with serving(COUNTING, backend=BackendSettings(workers=1, spare=2)) as server:
        backend: Any = server.sessions.backend
        eventually(lambda: backend.ready == 2)
        with connect(server) as env:
            assert env.reset()[0]["count"] == 0
            assert env.step(COUNT)[0]["count"] == 1
        eventually(lambda: backend.ready == 2)
        with connect(server) as env, gymnasium.make(COUNTING_ID) as plain:
            assert same(env.reset(seed=7), plain.reset(seed=7))
            assert same(env.step(COUNT), plain.step(COUNT))


COUNTING_ID = "openenv-gym-tests/CountingOfBackends-v0"
openenv_gym.register_environment(COUNTING_ID, COUNTING)


def test_a_stranger_sets_no_options_of_the_owner_and_reads_no_errors() -> None:
    settings = BackendSettings(workers=1)
    with serving(COUNTING, backend=settings, options={"size": 2}) as server:
        with connect(server) as env:
            assert env.reset()[0]["frame"].shape == (2,)
            with pytest.raises(EnvironmentFailedError) as caught:
                env.step(FAIL)
            assert SECRET not in f"{caught.value}{caught.value.fields}"
        with pytest.raises(OptionError, match="'size'"):
            gymnasium.make(
                "openenv/Remote-v0", transport="websocket", url=server.url("websocket"), size=3
            )


def test_settings_that_no_backend_has() -> None:
    with (
        pytest.raises(OptionError, match="--workers N"),
        serving(COUNTING, backend=BackendSettings(spare=1)),
    ):
        pass
    with (
        pytest.raises(OptionError, match="not 'docker'"),
        serving(COUNTING, backend=BackendSettings(name="docker", workers=2)),
    ):
        pass


def test_another_transport_is_a_backend(served: Served) -> None:
    """One that has no socket to hand over: a server in front of a server."""
    options = {"url": served.url("websocket")}
    with serving("connect4", backend=BackendSettings(name="websocket", options=options)) as front:
        got = trajectory(connect(front, "websocket", "openenv/Connect4-v0"))
    assert same(got, trajectory(gymnasium.make("openenv/Connect4-v0")))


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_containers() -> None:
    settings = BackendSettings(name="docker")
    with serving("echo", backend=settings) as server:
        transport = WebSocketTransport(url=server.url("websocket"), start_timeout=200.0)
        got = trajectory(gymnasium.make("openenv/Echo-v0", transport=transport))
    assert same(got, trajectory(gymnasium.make("openenv/Echo-v0")))


@pytest.mark.parametrize("backend", [BackendSettings(), BackendSettings(workers=1)])
def test_a_stranger_reaches_and_restores_no_more_behind_a_backend(backend: BackendSettings) -> None:
    with (
        gymnasium.make("openenv/Connect4-v0", opponent="random") as owned,
        serving("connect4", backend=backend) as server,
        connect(server) as env,
    ):
        owned.reset(seed=1)
        env.reset(seed=1)
        ours: Any = owned.unwrapped
        theirs: Any = env.unwrapped
        own = theirs.link.exchange(Snapshot()).data
        forged = bytes([own[0] ^ 1]) + own[1:]  # signed by somebody else
        with pytest.raises(SnapshotError, match="owner"):
            theirs.link.exchange(Restore(forged))
        theirs.link.exchange(Restore(own))
        ours.link.exchange(Restore(forged))
        with pytest.raises(OpenEnvGymError, match=r"owner|export"):
            theirs.link.exchange(Call("np_random"))
