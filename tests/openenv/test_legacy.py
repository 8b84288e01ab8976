"""Legacy servers (openenv-core 0.1): one environment for all, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from openenv_gym.errors import (
    ConnectError,
    EnvironmentFailedError,
    ExchangeTimeoutError,
    OpenEnvServerWarning,
    OptionError,
    SessionLostError,
    SpaceError,
    StepLostError,
)
from openenv_gym_envs.connect4 import Connect4Action, Connect4Env
from tests.faults.proxy import Proxy
from tests.openenv.ours import REMOTE, warned
from tests.openenv.peers import LEGACY, PeerServer, peer_server, requires_peers
from tests.servers import eventually

pytestmark = requires_peers

CONNECT4 = "openenv/Connect4-v0"
SHARED = "all of its clients share"
BOARD = {"type": "Box", "low": -1, "high": 1, "shape": [6, 7], "dtype": "int8"}
SLOW = 6  # a piece in that column takes a second


@pytest.fixture(scope="module")
def server() -> Iterator[PeerServer]:
    with peer_server("tests.openenv.legacy:app", peer=LEGACY) as server:
        yield server


def shared(url: str, **keywords: Any) -> gymnasium.Env[Any, Any]:
    """An environment, with the warning that it is shared."""
    return warned(lambda: gymnasium.make(CONNECT4, url=url, **keywords), SHARED)


def test_an_episode_of_a_known_environment(server: PeerServer) -> None:
    env = shared(server.url)
    assert env.action_space == Discrete(7)
    assert env.observation_space == Box(-1, 1, (6, 7), np.int8)
    board, info = env.reset(seed=1)
    assert not board.any()
    for column in (3, 3, 0):
        board, reward, terminated, truncated, info = env.step(column)
    assert board[5].tolist() == [1, 0, 0, 1, 0, 0, 0]
    assert board[4].tolist() == [0, 0, 0, -1, 0, 0, 0]
    assert (reward, terminated, truncated) == (1.5, False, False)
    assert info["action_mask"].tolist() == [1] * 7
    assert env.unwrapped.state()["step_count"] == 3  # type: ignore[attr-defined]
    env.close()


def test_an_unknown_environment(server: PeerServer) -> None:
    """Such a server has no schemas: of observations data tells, of actions nothing."""
    with pytest.warns(OpenEnvServerWarning), pytest.raises(SpaceError) as caught:
        gymnasium.make(REMOTE, url=server.url)
    assert 'action_space={"type": "Dict"' in str(caught.value)
    assert "observation.board: integers without bounds, of the shape (6, 7)" in str(caught.value)
    spaces = {"board": BOARD, "action.column": {"type": "Discrete", "n": 7}}
    env = warned(lambda: gymnasium.make(REMOTE, url=server.url, spaces=spaces), SHARED)
    assert env.action_space == Discrete(7)
    _, info = env.reset()
    assert info["action_mask"].tolist() == [1] * 7
    assert env.step(2)[0][5].tolist() == [0, 0, 1, 0, 0, 0, 0]
    env.close()


def test_the_typed_client(server: PeerServer) -> None:
    client = warned(lambda: Connect4Env(base_url=server.url, transport="http"), SHARED)
    with client as env:
        env.reset()
        assert env.step(Connect4Action(column=1)).observation.board[5][1] == 1


def test_another_client_resets_it(server: PeerServer) -> None:
    env, other = shared(server.url), shared(server.url)
    env.reset()
    env.step(0)
    other.reset()
    with pytest.raises(SessionLostError, match="clients share it"):
        env.step(0)
    board, _ = env.reset()
    assert not board.any()
    assert env.step(0)[0].any()
    for one in (env, other):
        one.close()


@pytest.mark.parametrize("fault", ["after", "mid"])
def test_a_step_that_was_carried_out_is_told_to_be_lost(server: PeerServer, fault: str) -> None:
    with Proxy(server.port) as proxy:
        env = shared(f"http://127.0.0.1:{proxy.port}")
        env.reset()
        proxy.spared, proxy.fault = 1, fault  # before the step its state is asked
        with pytest.raises(StepLostError) as caught:
            env.step(0)
        assert caught.value.fields["executed"] is True
        board, _ = env.reset()
        assert not board.any()
        env.close()


def test_nobody_knows_whether_a_step_is_still_to_come(server: PeerServer) -> None:
    with Proxy(server.port) as proxy:
        env = shared(f"http://127.0.0.1:{proxy.port}")
        env.reset()
        proxy.spared, proxy.fault = 1, "before"
        with pytest.raises(StepLostError) as caught:
            env.step(0)
        assert caught.value.fields["executed"] is None
        proxy.fault = "after"
        env.reset()  # again, since no harm is in that
        env.close()


def test_a_slow_step(server: PeerServer) -> None:
    env = shared(server.url, timeout=0.4)
    env.reset()
    with pytest.raises(ExchangeTimeoutError, match=r"No reply within 0\.4 s"):
        env.step(SLOW)

    def reset() -> bool:
        try:
            env.reset()
        except ExchangeTimeoutError:
            return False
        return True

    eventually(reset)
    assert np.count_nonzero(env.step(0)[0]) == 1
    env.close()


def test_an_error_of_the_environment(server: PeerServer) -> None:
    spaces = {"board": BOARD, "action.column": {"type": "Discrete", "n": 9}}
    spaces["legal_actions"] = None  # type: ignore[assignment]
    env = warned(lambda: gymnasium.make(REMOTE, url=server.url, spaces=spaces), SHARED)
    env.reset()
    with pytest.raises(EnvironmentFailedError, match="could not step"):
        env.step(8)
    env.close()


def test_one_environment_is_not_for_several_lanes(server: PeerServer) -> None:
    with pytest.raises(OptionError, match="2 lanes cannot share"):
        gymnasium.make_vec(CONNECT4, num_envs=2, url=server.url)
    envs = warned(lambda: gymnasium.make_vec(CONNECT4, num_envs=1, url=server.url), SHARED)
    envs.reset()
    assert envs.step(np.array([0]))[0].shape == (1, 6, 7)
    envs.close()


def test_options_of_a_reset(server: PeerServer) -> None:
    env = shared(server.url)
    with pytest.raises(OptionError, match="leave \\['board'\\] out"):
        env.reset(options={"board": 3})
    env.close()


def test_over_a_websocket(server: PeerServer) -> None:
    with pytest.raises(ConnectError, match=f'transport="http", url="{server.url}"'):
        gymnasium.make(CONNECT4, url=server.ws_url)


def test_a_server_that_is_gone() -> None:
    with peer_server("tests.openenv.legacy:app", peer=LEGACY) as server:
        env = shared(server.url, timeout=1.0)
        env.reset()
        server.process.kill()
        server.process.wait()
        with pytest.raises(SessionLostError, match="does not answer any more"):
            env.step(0)
        env.close()
