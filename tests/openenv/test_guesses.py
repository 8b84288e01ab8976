"""Guessed Spaces of vector environments: a value outside of them widens those of all lanes."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, OneOf

from openenv_gym.errors import DefaultSpacesWarning, OpenEnvServerWarning
from openenv_gym.spaces.numbers import Numbers
from tests.openenv.ours import REMOTE
from tests.openenv.peers import PeerPython, PeerServer, peer_server, requires_peers
from tests.openenv.test_adapted import ADAPTED

pytestmark = [requires_peers, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def server() -> Iterator[PeerServer]:
    with peer_server("tests.openenv.guessing:everything") as server:
        yield server


def play(envs: gymnasium.vector.VectorEnv[Any, Any, Any], steps: int) -> list[Any]:
    """Steps of legal actions, each of whose observations is in the Space of that moment."""
    observations, infos = envs.reset(seed=[0, 2, 5])
    seen = [observations]
    for _ in range(steps):
        assert envs.observation_space.contains(observations), observations
        assert infos["action_mask"].shape == (3, envs.single_action_space.n)
        last = [int(np.flatnonzero(mask)[-1]) for mask in infos["action_mask"]]
        observations, rewards, *_, infos = envs.step(np.array(last))
        assert rewards.tolist() == last or 0.0 in rewards  # an episode began
        seen.append(observations)
    assert envs.observation_space.contains(observations)
    return seen


def check(envs: gymnasium.vector.VectorEnv[Any, Any, Any], seen: list[Any]) -> None:
    single = envs.single_observation_space
    assert isinstance(single, gymnasium.spaces.Dict)
    assert envs.single_action_space == Discrete(10)
    assert single["board"] == Box(-np.inf, np.inf, (2, 2), np.int64)
    assert isinstance(single["history"], Numbers)
    assert isinstance(single["note"], OneOf)
    assert single["heat"].dtype == np.float64
    first, after = seen[0], seen[3]
    assert first["board"].shape == after["board"].shape == (3, 2, 2)
    assert first["history"].shape == (3, 3)
    # Lengths differ between the lanes: an item for each lane.
    assert [len(one) for one in after["history"]] == [6, 4, 3]
    assert [one[:, 0].tolist() for one in after["board"]] == [[3, 3], [1, 1], [0, 0]]
    assert after["heat"].tolist() == [[0.5, 1.0], [1.0, 2.0], [1.0, 2.0]]
    assert [note[0] for note in seen[2]["note"]] == [0, 1, 1]
    assert seen[2]["note"][1] == (1, "x")


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("mode", ["NextStep", "SameStep"])
def test_at_openenvs_server(workers: int, mode: str, server: PeerServer) -> None:
    url = f"{server.ws_url}/growing"
    with pytest.warns(OpenEnvServerWarning):
        envs = gymnasium.make_vec(REMOTE, num_envs=3, url=url, workers=workers, autoreset_mode=mode)
    with closing(envs):
        with pytest.warns(DefaultSpacesWarning, match="wider from now on") as caught:
            seen = play(envs, 12)
        assert len(caught) == 1
        check(envs, seen)
        assert envs.action_masks().shape == (3, 10)


def test_lanes_that_begin_with_other_shapes(server: PeerServer) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with closing(gymnasium.make_vec(REMOTE, num_envs=2, url=f"{server.ws_url}/flat")) as envs:
            observations, _ = envs.reset(seed=0)
            assert observations.shape == (2, 2)
            observations, *_ = envs.step(envs.action_space.sample())
            observations, *_ = envs.step(envs.action_space.sample())
            assert [len(one) for one in observations] == [2, 3]
            assert envs.observation_space.contains(observations)
            # An integer without bounds is drawn near 0, as it is for one environment.
            assert {abs(int(a)) < 99 for a in envs.action_space.sample().flat} == {True}


@pytest.mark.parametrize(
    "options", [{}, {"transport": "process"}, {"transport": "process", "workers": 2}]
)
def test_in_our_hands(options: dict[str, Any], peer: PeerPython) -> None:
    environment = "tests.openenv.guessing:Growing"
    id = f"peer/Growing{len(options)}-v0"
    peer.call(f"{ADAPTED}:register", id=id, environment=environment)
    played = peer.call("tests.openenv.adapted:play_guesses", id=id, **options)
    assert played["contained"] == [True] * 9
    assert played["lengths"] == [[3, 3], [4, 3], [5, 4], [6, 5]]
    assert played["warnings"] == 1
    assert played["actions"].startswith("Discrete(10")


def test_an_action_has_fields_of_its_own_and_more_is_in_the_info(server: PeerServer) -> None:
    with pytest.warns(OpenEnvServerWarning):
        env = gymnasium.make(REMOTE, url=f"{server.ws_url}/aliased")
    with closing(env), warnings.catch_warnings():
        warnings.simplefilter("ignore", DefaultSpacesWarning)
        assert env.action_space == Dict({"moveTo": Discrete(4, start=0), "done": Discrete(2)})
        assert env.reset(seed=0)[1]["beside"] == [0]
        assert not env.step({"moveTo": 2, "done": 0})[2]
        observation, _, terminated, _, info = env.step({"moveTo": 3, "done": 1})
        assert terminated
        assert observation["moved"] == 3
        assert info["beside"] == [3]


@pytest.mark.parametrize("transport", ["inprocess", "process"])
def test_aliases_in_our_hands(transport: str, peer: PeerPython) -> None:
    models = [f"tests.openenv.guessing:Aliased{side}" for side in ("Action", "Observation")]
    given = {"environment": "tests.openenv.guessing:Aliased"}
    given |= dict(zip(("action", "observation"), models, strict=True))
    peer.call(f"{ADAPTED}:register", id="peer/Aliased-v0", **given)
    actions = [{"move": 2, "done": 0}, {"move": 3, "done": 1}]
    options = {"transport": transport}
    played = peer.call(f"{ADAPTED}:play", id="peer/Aliased-v0", actions=actions, options=options)
    assert played["spaces"][0] == "Dict('move': Discrete(4), 'done': Discrete(2))"
    assert [result[:2] for result in played["results"]] == [
        [{"moved": number, "board": number}, {"beside": [number]}] for number in (0, 2, 3)
    ]
    assert [result[3] for result in played["results"]] == [False, False, True]
