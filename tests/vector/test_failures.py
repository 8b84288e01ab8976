"""A worker that dies, and a server without room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium
import numpy as np
import pytest
from docker import DockerClient
from gymnasium.vector import AutoresetMode

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import (
    EpisodeError,
    ExchangeTimeoutError,
    ServerFullError,
    TransportError,
)
from openenv_gym.testing import same
from openenv_gym.vector import OpenEnvVectorEnv
from tests.environments import COUNT, THREADED, WAIT
from tests.servers import Served, eventually, is_running, kill, serving
from tests.troubles import nothing_left

MODES = pytest.mark.parametrize("mode", list(AutoresetMode), ids=lambda mode: mode.value)


@contextmanager
def counting(**keywords: Any) -> Iterator[OpenEnvVectorEnv]:
    settings = {"num_envs": 4, "workers": 2, "transport": "process", **keywords}
    envs = OpenEnvVectorEnv(THREADED, **settings)
    try:
        yield envs
    finally:
        envs.close()


def kill_worker(envs: OpenEnvVectorEnv, number: int) -> None:
    pid = envs.isolation[number]["pid"]
    kill(pid)
    eventually(lambda: not is_running(pid))


class TestRaise:
    @pytest.mark.parametrize("transport", ["process", "websocket", "http"])
    def test_names_the_lanes(self, transport: str) -> None:
        with nothing_left(), counting(transport=transport, timeout=20.0) as envs:
            envs.reset(seed=0)
            kill_worker(envs, 1)
            with pytest.raises(TransportError, match=r"lanes \[2, 3\] are lost") as raised:
                envs.step([COUNT] * 4)
            assert raised.value.fields["lanes"] == [2, 3]
            # What the other two did is lost too, so nothing goes on in silence.
            with pytest.raises(EpisodeError, match="call reset"):
                envs.step([COUNT] * 4)
            with pytest.raises(EpisodeError, match="call reset"):
                envs.send([COUNT], [0])

    def test_while_it_is_waited_for(self) -> None:
        with counting() as envs:
            envs.reset()
            envs.send([COUNT] * 3, [0, 2, 3])
            envs.recv(3)
            kill_worker(envs, 0)
            envs.send([COUNT] * 2, [0, 2])
            with pytest.raises(TransportError, match=r"\[0, 1\] are lost"):
                envs.recv(2)

    def test_too_slow(self) -> None:
        with counting(delay=8.0, timeout=1.0) as envs:
            envs.reset()
            with pytest.raises(ExchangeTimeoutError, match=r"\[0, 1\]"):
                envs.step([COUNT, WAIT, COUNT, COUNT])
            with pytest.raises(EpisodeError, match="call reset"):
                envs.step([COUNT] * 4)


class TestRestart:
    @MODES
    def test_the_others_lose_nothing(self, mode: AutoresetMode) -> None:
        limit = None if mode is AutoresetMode.DISABLED else 4
        settings: dict[str, Any] = {"autoreset_mode": mode, "max_episode_steps": limit}
        with (
            counting(on_failure="restart", **settings) as envs,
            counting(transport="inprocess", **settings) as undisturbed,
        ):
            before, _ = envs.reset(seed=5)
            undisturbed.reset(seed=5)
            for number in range(8):
                if number == 2:
                    kill_worker(envs, 1)
                got, wanted = envs.step([COUNT] * 4), undisturbed.step([COUNT] * 4)
                for mine, theirs in zip(got[:4], wanted[:4], strict=True):
                    assert same(_rows(mine, slice(2)), _rows(theirs, slice(2))), number
                if number == 2:
                    _check_failure(mode, before, got)
                    if mode is AutoresetMode.DISABLED:
                        mask = np.array([False, False, True, True])
                        fresh, _ = envs.reset(options={"reset_mask": mask})
                        assert fresh["count"].tolist() == [3, 3, 0, 0]
                elif number < 6:
                    assert "failure" not in got[4]
                if number == 3:
                    count = 0 if mode is AutoresetMode.NEXT_STEP else 1
                    assert got[0]["count"][2:].tolist() == [count, count]
                    assert not got[3][2:].any()
                before = got[0]

    def test_first_ready(self) -> None:
        with counting(num_envs=3, workers=3, on_failure="restart") as envs:
            envs.reset(seed=0)
            envs.send([COUNT] * 3, range(3))
            envs.recv(3)
            kill_worker(envs, 1)
            envs.send([COUNT] * 3, range(3))
            seen: dict[int, tuple[int, bool]] = {}
            while len(seen) < 3:
                lanes, observations, _, _, truncated, infos = envs.recv(1)
                for row, lane in enumerate(lanes.tolist()):
                    seen[lane] = (int(observations["count"][row]), bool(truncated[row]))
                    if lane == 1:
                        assert "process is gone" in infos["failure"][row]
            assert seen == {0: (2, False), 1: (1, True), 2: (2, False)}
            assert envs.step([COUNT] * 3)[0]["count"].tolist() == [3, 0, 3]

    def test_only_some_of_its_lanes_were_sent(self) -> None:
        with counting(on_failure="restart") as envs:
            envs.reset()
            kill_worker(envs, 1)
            envs.send([COUNT], [3])
            with pytest.raises(TransportError, match=r"\[2, 3\] are lost. Only the lanes \[3\]"):
                envs.recv()

    @pytest.mark.parametrize("masked", [False, True])
    def test_in_a_reset(self, masked: bool) -> None:
        with counting(on_failure="restart") as envs, counting(transport="inprocess") as others:
            envs.reset(seed=1)
            others.reset(seed=1)
            kill_worker(envs, 0)
            options = {"reset_mask": np.array([True, True, False, False])} if masked else {}
            got = envs.reset(seed=9, options=dict(options))
            assert same(got, others.reset(seed=9, options=dict(options)))

    def test_hung(self) -> None:
        with counting(on_failure="restart", delay=8.0, timeout=2.0) as envs:
            envs.reset()
            *_, truncated, infos = envs.step([COUNT, COUNT, COUNT, WAIT])
            assert truncated.tolist() == [False, False, True, True]
            assert infos["_failure"].tolist() == [False, False, True, True]

    def test_budget(self) -> None:
        with counting(on_failure="restart", max_restarts=2) as envs:
            envs.reset()
            for _ in range(2):
                kill_worker(envs, 0)
                assert envs.step([COUNT] * 4)[3].tolist() == [True, True, False, False]
                envs.step([COUNT] * 4)
            kill_worker(envs, 0)
            with pytest.raises(TransportError, match=r"\[0, 1\] are lost. The budget of restarts"):
                envs.step([COUNT] * 4)

    @pytest.mark.docker
    def test_container(self, engine: DockerClient) -> None:
        settings: dict[str, Any] = {"num_envs": 4, "opponent": "random"}
        envs = gymnasium.make_vec(
            "openenv/Connect4-v0", transport="docker", workers=2, on_failure="restart", **settings
        )
        undisturbed = gymnasium.make_vec("openenv/Connect4-v0", **settings)
        assert isinstance(envs, OpenEnvVectorEnv)
        try:
            envs.reset(seed=0)
            undisturbed.reset(seed=0)
            for number, column in enumerate((3, 3, 2, 4)):
                if number == 1:
                    engine.containers.get(envs.isolation[0]["container"]).kill()
                actions = np.full(4, column)
                got, wanted = envs.step(actions), undisturbed.step(actions)
                for mine, theirs in zip(got[:4], wanted[:4], strict=True):
                    assert same(mine[2:], theirs[2:])
                assert ("failure" in got[4]) == (number == 1)
        finally:
            envs.close()
            undisturbed.close()


def _rows(value: Any, rows: slice) -> Any:
    if isinstance(value, dict):
        return {key: item[rows] for key, item in value.items()}
    return value[rows]


def _check_failure(mode: AutoresetMode, before: Any, got: tuple[Any, ...]) -> None:
    observations, rewards, terminated, truncated, infos = got
    assert truncated.tolist() == [False, False, True, True]
    assert not terminated.any()
    assert rewards[2:].tolist() == [0.0, 0.0]
    assert infos["_failure"].tolist() == [False, False, True, True]
    assert infos["failure"][0] is None
    assert "process is gone" in infos["failure"][3]
    if mode is AutoresetMode.SAME_STEP:
        last = [infos["final_obs"][lane] for lane in (2, 3)]
        assert [int(one["count"]) for one in last] == [2, 2]
        assert observations["count"][2:].tolist() == [0, 0]
        assert infos["final_info"]["failure"][2] == infos["failure"][2]
    else:
        assert same(_rows(observations, slice(2, 4)), _rows(before, slice(2, 4)))


@pytest.fixture(scope="module")
def server() -> Iterator[Served]:
    with serving(THREADED, max_sessions=4) as served:
        yield served


class TestFullServer:
    @pytest.mark.parametrize("transport", ["websocket", "http"])
    @pytest.mark.parametrize("workers", [1, 2, 5])
    def test_all_places_or_none(self, server: Served, transport: str, workers: int) -> None:
        url = server.url(transport)
        with pytest.raises(ServerFullError, match="5 lanes were asked for, but 4 of") as raised:
            OpenEnvVectorEnv(THREADED, num_envs=5, workers=workers, transport=transport, url=url)
        assert raised.value.fields["free"] == 4
        assert raised.value.fields["wanted"] == 5
        eventually(lambda: len(server.sessions) == 0)
        with counting(transport=transport, url=url) as envs:
            envs.reset()
            with pytest.raises(ServerFullError, match="but 0 of"):
                OpenEnvVectorEnv(THREADED, transport=transport, url=url)
        eventually(lambda: len(server.sessions) == 0)
