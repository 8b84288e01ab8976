"""Every client with every server: the same episode, whoever speaks with whom.

A cell of the matrix is a :class:`Case`, a client and a server. What OpenEnv's client gets from the
OpenEnv's server is the truth that the other cells are held to.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pytest

from openenv_gym.client import EnvClient, client_class
from openenv_gym.env import OpenEnvGym
from openenv_gym.testing.trajectory import play, same
from tests.openenv.counterparts import NESTED, SENSORS
from tests.openenv.ours import warned
from tests.openenv.peers import PeerPython, PeerServer, peer_server, requires_peers
from tests.servers import serving

pytestmark = requires_peers


@dataclass(frozen=True)
class Case:
    """An environment that both servers have, and an episode of it.

    Attributes:
        name: Below which path OpenEnv's server has it.
        ours: What our server is to serve.
        actions: Of the episode, as the fields of OpenEnv's action.
        options: Of our environment, so that it does what OpenEnv's does.
        more: Fields that our observation has and OpenEnv's has not.
    """

    name: str
    ours: str
    actions: tuple[dict[str, Any], ...]
    options: dict[str, Any] = field(default_factory=dict)
    more: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return self.name


def _moves(text: str) -> tuple[dict[str, Any], ...]:
    return tuple({"move": move} for move in text.split())


CASES = [
    Case("echo", "echo", tuple({"message": text} for text in ("Hello!", "", "naïve ✓ 𝄞"))),
    Case(
        "connect4",
        "connect4",
        tuple({"column": column} for column in (3, 0, 3, 1, 3, 6, 3)),
        more=frozenset({"current_player_id"}),
    ),
    Case(
        "chess",
        "chess",
        _moves("e2e4 e7e5 d1h5 b8c6 f1c4 g8f6 h5f7"),
        {"opponent": "self"},
        more=frozenset({"planes", "current_player_id"}),
    ),
    Case(
        "nested",
        NESTED,
        (
            {"by": {"x": 1, "y": -1}, "gait": "run"},
            {"by": {"x": 1, "y": 0}, "towards": {"name": "home", "at": {"x": 0, "y": 0}}},
        ),
    ),
    Case("sensors", SENSORS, ({"gain": 2.0}, {"gain": 1}, {"gain": 0.25}, {"gain": 4})),
]

RESET = {"seed": 3, "episode_id": "episode-1"}


@pytest.fixture(scope="module")
def theirs() -> Iterator[PeerServer]:
    """OpenEnv's server, with each case below its name."""
    with peer_server("tests.openenv.environments:everything") as server:
        yield server


@pytest.fixture(scope="module")
def ours() -> Iterator[dict[str, str]]:
    """URLs of our servers, by case."""
    with ExitStack() as stack:
        yield {
            case.name: stack.enter_context(serving(case.ours, options=case.options)).url("http")
            for case in CASES
        }


@pytest.fixture(scope="module")
def truth(peer: PeerPython, theirs: PeerServer) -> Any:
    """The episode of a case, between OpenEnv's client and OpenEnv's server."""

    @cache
    def played(name: str) -> Any:
        case = next(case for case in CASES if case.name == name)
        actions = list(case.actions)
        url = f"{theirs.url}/{name}"
        return peer.call("tests.openenv.clients:play", url=url, actions=actions, reset=RESET)

    return played


def less(result: dict[str, Any], more: frozenset[str]) -> dict[str, Any]:
    """A result without what only ours has: fields, which OpenEnv's client gets as metadata."""
    observation = result["observation"]
    assert more <= observation.keys() | observation["metadata"].keys()
    assert not (more & observation.keys() and more & observation["metadata"].keys())

    def kept(told: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in told.items() if name not in more}

    observation = {**kept(observation), "metadata": kept(observation["metadata"])}
    beside = {"metadata": kept(result["metadata"])} if result.get("metadata") else {}
    return {**result, "observation": observation, **beside}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openenvs_server_ends_the_episode(case: Case, truth: Any) -> None:
    results = truth(case.name)["results"]
    assert len(results) == len(case.actions) + 1
    assert [result["done"] for result in results[:-1]] == [False] * len(case.actions)
    assert results[-1]["done"] is (case.name != "echo")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openenv_client_with_our_server(
    case: Case, peer: PeerPython, ours: dict[str, str], truth: Any
) -> None:
    played = peer.call(
        "tests.openenv.clients:play", url=ours[case.name], actions=list(case.actions), reset=RESET
    )
    expected = truth(case.name)
    assert [less(result, case.more) for result in played["results"]] == expected["results"]
    assert played["states"] == expected["states"]
    assert [state["step_count"] for state in played["states"]] == [*range(len(case.actions) + 1)]
    assert {state["episode_id"] for state in played["states"]} == {"episode-1"}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_asynchronous_openenv_clients_with_our_server(
    case: Case, peer: PeerPython, ours: dict[str, str], truth: Any
) -> None:
    played = peer.call(
        "tests.openenv.clients:play_async",
        url=ours[case.name],
        actions=list(case.actions),
        reset=RESET,
        clients=4,
    )
    assert len(played) == 4
    expected = truth(case.name)
    for episode in played:
        assert [less(result, case.more) for result in episode["results"]] == expected["results"]
        assert episode["state"] == expected["states"][-1]


def played(client: EnvClient[Any, Any, Any], case: Case) -> dict[str, Any]:
    """The episode with our typed client, in the form that OpenEnv's has it."""
    with client:
        results = [client.reset(**RESET)]
        states = [client.state().model_dump(mode="json")]
        for action in case.actions:
            results.append(client.step(client.action_type.model_validate(action)))
            states.append(client.state().model_dump(mode="json"))
    beside = {"reward", "done", "truncated", "terminated"}
    return {
        "results": [
            {
                "observation": reported.observation.model_dump(mode="json", exclude=beside),
                "reward": reported.reward,
                "done": reported.done,
                "metadata": reported.metadata,
            }
            for reported in results
        ],
        "states": states,
    }


def without_nan(value: Any) -> Any:
    """JSON's form: null for what is no number."""
    if isinstance(value, dict):
        return {name: without_nan(item) for name, item in value.items()}
    if isinstance(value, list):
        return [without_nan(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def check_results(found: list[dict[str, Any]], expected: list[dict[str, Any]], case: Case) -> None:
    """Check that our client received what OpenEnv's client received."""
    rewards = [result["reward"] for result in expected]
    # There is no reward of a reset in Gymnasium.
    assert [own["reward"] for own in found] == [0.0, *(reported or 0.0 for reported in rewards[1:])]
    for own, wanted in zip(found, expected, strict=True):
        own = less(own, case.more)
        assert without_nan(own["observation"]) == wanted["observation"]
        assert own["done"] is wanted["done"]
        assert own["metadata"] == (wanted["metadata"] or {})


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_client_with_openenvs_server(case: Case, theirs: PeerServer, truth: Any) -> None:
    url = f"{theirs.url}/{case.name}"
    episode = played(warned(lambda: client_class(case.ours)(base_url=url)), case)
    expected = truth(case.name)
    check_results(episode["results"], expected["results"], case)
    for own, wanted in zip(episode["states"], expected["states"], strict=True):
        assert wanted.items() <= own.items()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_our_client_with_our_server(case: Case, ours: dict[str, str], truth: Any) -> None:
    episode = played(client_class(case.ours)(base_url=ours[case.name]), case)
    check_results(episode["results"], truth(case.name)["results"], case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_same_trajectory_at_both_servers(
    case: Case, ours: dict[str, str], theirs: PeerServer
) -> None:
    here = OpenEnvGym(case.ours, url=ours[case.name].replace("http", "ws"))
    with closing(here):
        there = warned(lambda: OpenEnvGym(case.ours, url=f"{theirs.ws_url}/{case.name}"))
        with closing(there):
            assert there.action_space == here.action_space
            assert there.observation_space == here.observation_space
            expected, found = (list(play(env, seed=3, steps=10)) for env in (here, there))
    if case.name == "sensors":  # OpenEnv's JSON has null for infinity as for NaN
        assert np.isinf(expected[0].observation["readings"]).any()
        for one in expected:
            readings = one.observation["readings"]
            readings[np.isinf(readings)] = np.nan
    assert same(found, expected)
