"""Dropped connections to servers of OpenEnv: no step is lost silently, none is done twice."""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gymnasium
import numpy as np
import pytest

from openenv_gym.errors import (
    EnvironmentFailedError,
    EpisodeError,
    ExchangeTimeoutError,
    OpenEnvServerWarning,
    ServerFullError,
    SessionLostError,
    StepLostError,
)
from tests.faults.proxy import Proxy
from tests.openenv.ours import REMOTE, remote, warned
from tests.openenv.peers import PeerServer, peer_server, requires_peers
from tests.servers import eventually

pytestmark = requires_peers

Env = gymnasium.Env[Any, Any]
SESSIONS = 4  # of tests.openenv.environments


class Faults(Proxy):
    """A proxy with a fault for each of the next pieces of requests, or None for one that passes."""

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self.script: deque[str | None] = deque()

    def take_fault(self) -> str | None:
        return self.script.popleft() if self.script else None


@pytest.fixture(scope="module")
def server() -> Iterator[PeerServer]:
    with peer_server("tests.openenv.environments:everything") as server:
        yield server


@contextmanager
def through(
    server: PeerServer, name: str = "ledger", **keywords: Any
) -> Iterator[tuple[Env, Faults]]:
    """An environment of the server, by its name there, behind a proxy."""
    with (
        Faults(server.port) as proxy,
        remote(f"ws://127.0.0.1:{proxy.port}/{name}", **keywords) as env,
    ):
        yield env, proxy


def plan(env: Env, proxy: Faults, *faults: str | None) -> None:
    """Faults for the next request, once nothing of the one before is under way."""
    env.unwrapped.state()
    proxy.script.extend(faults)


def act(seconds: float = 0.0, *, counts: bool = True, fails: bool = False) -> dict[str, Any]:
    return {"seconds": np.array([seconds]), "counts": np.int64(counts), "fails": np.int64(fails)}


def total(env: Env) -> int:
    """How many steps were carried out in the environment, as a new episode tells."""
    return int(env.reset()[0]["total"])


# Of each request the first piece is meant: a handshake is one, a step one or two.
NOT_EXECUTED = [
    ["before"],
    ["torn"],
    ["before", "before"],
    ["before", "torn", "mid"],
    ["torn", "after"],
    ["torn", None, "before"],
    ["before", None, "torn", "after"],
    ["before", "mid", None, "mid"],
]
EXECUTED = [
    ["after"],
    ["mid"],
    ["after", "before"],
    ["after", "torn", "mid", "after"],
    ["after", None, "before"],
    ["mid", None, "after"],
]


@pytest.mark.parametrize("script", NOT_EXECUTED, ids=str)
def test_a_step_that_did_not_arrive_is_sent_again(
    server: PeerServer, script: list[str | None]
) -> None:
    with through(server) as (env, proxy):
        first, _ = env.reset()
        env.step(act())
        plan(env, proxy, *script)
        seen, reward, *_ = env.step(act())
        assert not proxy.script
        assert (seen["total"], seen["steps"], reward) == (2, 2, 2.0)
        seen, *_ = env.step(act())
        assert seen == {"born": first["born"], "total": 3, "steps": 3}


@pytest.mark.parametrize("script", EXECUTED, ids=str)
def test_a_step_that_was_carried_out_is_told_to_be_lost(
    server: PeerServer, script: list[str | None]
) -> None:
    with through(server) as (env, proxy):
        first, _ = env.reset()
        env.step(act())
        plan(env, proxy, *script)
        with pytest.raises(StepLostError, match="was carried out") as caught:
            env.step(act())
        assert caught.value.fields["executed"] is True
        assert not proxy.script
        with pytest.raises(EpisodeError, match=r"reset\(\)"):
            env.step(act())
        seen, _ = env.reset()
        assert seen == {"born": first["born"], "total": 2, "steps": 0}
        seen, *_ = env.step(act())
        assert seen == {"born": first["born"], "total": 3, "steps": 1}


def test_a_slow_step_is_waited_for(server: PeerServer) -> None:
    with through(server) as (env, proxy):
        env.reset()
        # It is being carried out when the connection drops, and the session is not free meanwhile.
        dropping = threading.Timer(0.3, proxy.drop)
        dropping.start()
        started = time.monotonic()
        with pytest.raises(StepLostError) as caught:
            env.step(act(1.5))
        assert time.monotonic() - started > 1.2
        assert caught.value.fields["executed"] is True
        dropping.join()
        assert total(env) == 1


def test_a_slow_step_that_outlasts_the_timeout(server: PeerServer) -> None:
    with through(server, timeout=0.6) as (env, proxy):
        env.reset()
        dropping = threading.Timer(0.2, proxy.drop)
        dropping.start()
        with pytest.raises(ExchangeTimeoutError):
            env.step(act(2.0))
        dropping.join()
        eventually(lambda: finished(env.reset))
        assert total(env) == 1


def finished(call: Callable[[], Any]) -> bool:
    with suppress(ExchangeTimeoutError):
        call()
        return True
    return False


@pytest.mark.parametrize("fault", ["before", "after"])
def test_nobody_knows_where_steps_are_not_counted(server: PeerServer, fault: str) -> None:
    with through(server) as (env, proxy):
        env.reset()
        env.step(act(counts=False))
        plan(env, proxy, fault)
        with pytest.raises(StepLostError, match="or not") as caught:
            env.step(act(counts=False))
        assert caught.value.fields["executed"] is None
        assert total(env) == (2 if fault == "after" else 1)


def test_nobody_knows_before_the_first_count(server: PeerServer) -> None:
    with through(server) as (env, proxy):
        env.reset()
        plan(env, proxy, "before")
        with pytest.raises(StepLostError) as caught:
            env.step(act())
        assert caught.value.fields["executed"] is None
        assert total(env) == 0


def test_an_environment_that_is_known_to_count(server: PeerServer) -> None:
    with through(server, "chess", id="openenv/Chess-v0") as (env, proxy):
        before, info = env.reset()
        plan(env, proxy, "before")
        move = int(np.flatnonzero(info["action_mask"])[0])
        after, *_ = env.step(move)
        assert (after != before).any()
        assert env.unwrapped.state()["step_count"] == 1


@pytest.mark.parametrize("fault", ["before", "torn", "after", "mid"])
def test_a_reset_is_done_again(server: PeerServer, fault: str) -> None:
    with through(server) as (env, proxy):
        first, _ = env.reset()
        env.step(act())
        plan(env, proxy, fault)
        seen, _ = env.reset()
        assert seen == {"born": first["born"], "total": 1, "steps": 0}


def test_a_connection_that_dropped_between_two_steps(server: PeerServer) -> None:
    with through(server) as (env, proxy):
        env.reset()
        for steps in range(1, 5):
            seen, *_ = env.step(act())
            assert seen["steps"] == steps
            proxy.drop()
        assert env.unwrapped.state()["step_count"] == 4


def test_many_faults(server: PeerServer) -> None:
    """Whatever drops, what the environment did is what was reported of it."""
    chance = random.Random(5)
    with through(server) as (env, proxy):
        born = env.reset()[0]["born"]
        done = steps = 1
        fates: list[bool | None] = []
        env.step(act())
        for _ in range(80):
            proxy.script.extend(
                chance.choice([None, None, "before", "torn", "after", "mid"])
                for _ in range(chance.randrange(4))
            )
            try:
                seen, *_ = env.step(act())
                steps += 1
                done += 1
                assert seen == {"born": born, "total": done, "steps": steps}
            except StepLostError as error:
                fates.append(error.fields["executed"])
                seen, _ = env.reset()
                steps, done = 0, done + 1
                assert seen == {"born": born, "total": done, "steps": 0}
        assert set(fates) == {True}
        assert len(fates) > 10


def test_after_a_timeout_no_stale_reply_is_read(server: PeerServer) -> None:
    with through(server, timeout=0.5) as (env, _):
        env.reset()
        env.step(act())
        with pytest.raises(ExchangeTimeoutError, match=r"No reply within 0\.5 s"):
            env.step(act(1.2))
        with pytest.raises(EpisodeError):
            env.step(act())
        # What is asked next is answered once the step is through, and not by its reply.
        eventually(lambda: finished(env.unwrapped.state))
        assert env.unwrapped.state()["step_count"] == 2
        assert env.reset()[0]["steps"] == 0
        seen, *_ = env.step(act())
        assert (seen["total"], seen["steps"]) == (3, 1)


@pytest.mark.parametrize("resumable", [True, False])
def test_after_a_timeout_a_reset_is_not_answered_by_the_step(
    server: PeerServer, resumable: bool
) -> None:
    options = {"resumable": resumable}
    with through(server, timeout=0.5, transport_options=options) as (env, _):
        env.reset()
        with pytest.raises(ExchangeTimeoutError):
            env.step(act(1.2))
        seen = []
        eventually(lambda: finished(lambda: seen.append(env.reset()[0])))
        assert seen == [{"born": seen[0]["born"], "total": 1, "steps": 0}]
        assert env.step(act())[0]["steps"] == 1


def test_a_connection_that_is_dead_without_a_sign(server: PeerServer) -> None:
    with through(server, timeout=0.5) as (env, proxy):
        born = env.reset()[0]["born"]
        plan(env, proxy, "mute")
        with pytest.raises(ExchangeTimeoutError):
            env.step(act())
        seen, _ = env.reset()
        assert seen == {"born": born, "total": 0, "steps": 0}


@pytest.mark.parametrize("fault", ["before", "after"])
def test_a_session_that_ends_with_its_connection(server: PeerServer, fault: str) -> None:
    options = {"resumable": False}
    with through(server, transport_options=options) as (env, proxy):
        env.reset()
        env.step(act())
        plan(env, proxy, fault)
        with pytest.raises(SessionLostError, match="resumable=True"):
            env.step(act())
        # It does not go on in another, which would not be reset.
        for call in (env.reset, env.unwrapped.state):
            with pytest.raises(SessionLostError):
                call()


@pytest.mark.parametrize("release", ["old", "older"])
def test_a_server_that_is_too_old(server: PeerServer, release: str) -> None:
    with through(server, release) as (env, proxy):
        assert env.reset()[0]["total"] == 0
        env.step(act())
        proxy.drop()
        with pytest.raises(SessionLostError, match=r"servers of openenv 0\.5 or later"):
            env.step(act())
        with pytest.raises(SessionLostError):
            env.reset()


def test_a_server_that_knows_no_such_session_and_one_that_is_gone(server: PeerServer) -> None:
    with peer_server("tests.openenv.environments:everything") as other:
        with through(server) as (env, proxy):
            env.reset()
            env.step(act())
            proxy.upstream = other.port  # as if it had been started anew
            proxy.drop()
            for call in (lambda: env.step(act()), env.reset):
                with pytest.raises(SessionLostError, match="Unknown session"):
                    call()
            proxy.upstream = server.port  # where the session is to be closed
        with remote(f"{other.ws_url}/ledger", timeout=1.0) as env:
            env.reset()
            other.process.kill()
            other.process.wait()
            with pytest.raises(SessionLostError, match="make a new environment"):
                env.step(act())


def test_an_error_of_the_environment_keeps_the_session(server: PeerServer) -> None:
    with through(server) as (env, _):
        born = env.reset()[0]["born"]
        env.step(act())
        with pytest.raises(EnvironmentFailedError, match="as it was told to") as caught:
            env.step(act(fails=True))
        assert caught.value.fields["code"] == "EXECUTION_ERROR"
        with pytest.raises(EpisodeError):
            env.step(act())
        assert env.reset()[0] == {"born": born, "total": 2, "steps": 0}


def test_a_full_server_and_one_that_makes_nothing(server: PeerServer) -> None:
    url = f"{server.ws_url}/single"
    for options in ({}, {"resumable": False}):
        with remote(url, transport_options=options) as env:
            env.reset()
            for more in ({}, {"resumable": False}):
                with pytest.raises(ServerFullError, match="All 1 sessions"):
                    make_failing(url, more)
        # The place is free again, as soon as the server saw it go.
        eventually(lambda: not full(url))
    for options in ({}, {"resumable": False}):
        with pytest.raises(EnvironmentFailedError, match="could not make its environment"):
            make_failing(f"{server.ws_url}/broken", options)


def test_many_environments_leave_no_session(server: PeerServer) -> None:
    for _ in range(3 * SESSIONS):
        with through(server) as (env, proxy):
            env.reset()
            proxy.drop()
    url = f"{server.ws_url}/ledger"
    # The server takes note of the last ones a moment later.
    eventually(lambda: not full(url, SESSIONS))
    with (
        pytest.warns(OpenEnvServerWarning),
        pytest.raises(ServerFullError, match="4 of the server"),
    ):
        gymnasium.make_vec(REMOTE, num_envs=SESSIONS + 1, url=url)


def make_failing(url: str, options: dict[str, Any]) -> None:
    with remote(url, transport_options=options):
        pass


def full(url: str, lanes: int = 1) -> bool:
    """Whether the server has not as many places."""
    try:
        warned(lambda: gymnasium.make_vec(REMOTE, num_envs=lanes, url=url)).close()
    except ServerFullError:
        return True
    return False
