"""OpenEnv's own clients play episodes of every environment of ours, as we play them here."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_core import to_json

from openenv_gym import registry
from openenv_gym.client import EnvClient, StepResult, client_class
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OpenEnvGymError, OptionError
from openenv_gym.server.openenv_protocol.exchange import plain
from openenv_gym.spaces.derive import fitted
from openenv_gym.spaces.json.values import json_values
from openenv_gym.testing import Episode, demo_episode
from tests.bundled import environments
from tests.openenv.peers import OPENENV, PeerPython, peer_environment, requires_peers
from tests.servers import Served, eventually, serving

pytestmark = requires_peers

SESSIONS = 2
SEED = 5
LONGEST = 100
"""Steps of an episode that does not end before."""

STEPS = {"atari": 10, "browsergym": 3, "sumo": 30}
"""Where an observation or a step is expensive."""


@dataclass
class Truth:
    """An episode as it is played in this process.

    Attributes:
        actions: As JSON.
        results: What each reset and step gave, as OpenEnv's client tells it.
    """

    actions: list[dict[str, Any]]
    results: list[dict[str, Any]]


def as_json(value: Any) -> Any:
    return json.loads(to_json(value, fallback=plain, inf_nan_mode="null"))


def facts(result: StepResult[Any], beyond: tuple[str, ...]) -> dict[str, Any]:
    """What OpenEnv's client reads, which has fields ``beyond`` its models in the metadata."""
    beside = {"done", "reward", "truncated", "terminated"}
    observation = as_json(result.observation.model_dump(mode="json", exclude=beside))
    observation["metadata"] |= {name: observation.pop(name) for name in beyond}
    return {"observation": observation, "reward": result.reward, "done": result.done}


def masks(env: OpenEnvGym) -> Any:
    try:
        return env.action_masks().astype("int8")
    except OpenEnvGymError:  # all actions are legal
        return None


def by_models(kind: type[EnvClient[Any, Any, Any]], episode: Episode, steps: int) -> Truth:
    """The episode of an environment with models, by our own typed client."""
    made = registry.load(registry.environment(kind.environment or ""))
    beyond = getattr(made, "beyond_openenv", ())
    with closing(kind(transport="inprocess", **episode.options)) as client:
        env = client.env
        actions = fitted(client.action_type, env.action_space)
        env.action_space.seed(SEED)
        result = client.reset(seed=SEED, episode_id="ep")
        truth = Truth([], [facts(result, beyond)])
        given = iter(episode.actions)
        while not result.done and len(truth.actions) < steps:
            value = next(given, None)
            if value is None:
                value = env.action_space.sample(masks(env))
            action: BaseModel = client.action_type(**actions.from_space(value))
            result = client.step(action)
            truth.actions.append(action.model_dump(mode="json", exclude={"metadata"}))
            truth.results.append(facts(result, beyond))
        return truth


def by_spaces(name: str, episode: Episode, steps: int) -> Truth:
    """The episode of an environment that has no models: its values are the fields."""
    with closing(OpenEnvGym(name, transport="inprocess", **episode.options)) as env:
        act = json_values(env.action_space, "action").from_space
        tell = json_values(env.observation_space, "observation").from_space
        env.action_space.seed(SEED)
        seen, info = env.reset(seed=SEED)
        first = {"metadata": info, "observation": tell(seen)}
        truth = Truth([], [{"observation": first, "reward": 0.0, "done": False}])
        while not truth.results[-1]["done"] and len(truth.actions) < steps:
            action = env.action_space.sample()
            seen, reward, terminated, truncated, info = env.step(action)
            truth.actions.append({"action": act(action)})
            observation = {"metadata": info, "observation": tell(seen)}
            done = terminated or truncated
            truth.results.append({"observation": observation, "reward": reward, "done": done})
        return truth


def played_here(name: str) -> Truth:
    episode = demo_episode(registry.environment(name))
    steps = STEPS.get(name, LONGEST)
    try:
        kind = client_class(name)
    except OptionError:
        return by_spaces(name, episode, steps)
    return by_models(kind, episode, steps)


@pytest.fixture(scope="module", params=environments())
def at(request: pytest.FixtureRequest) -> Iterator[tuple[Truth, Served]]:
    """An episode of an environment, and a server that has it."""
    name = request.param
    truth = played_here(name)
    options = demo_episode(registry.environment(name)).options
    with serving(name, options=options, max_sessions=SESSIONS) as served:
        yield truth, served
        eventually(lambda: len(served.sessions) == 0)


@pytest.fixture
def episode(at: tuple[Truth, Served]) -> tuple[Truth, str]:
    """An episode and the URL of the server, whose sessions are all free."""
    truth, served = at
    eventually(lambda: len(served.sessions) == 0)  # those of the test before are closed
    return truth, served.url("http")


def check(results: list[dict[str, Any]], truth: Truth) -> None:
    assert len(results) == len(truth.results)
    for got, wanted in zip(results, truth.results, strict=True):
        metadata = dict(got["observation"].pop("metadata"))
        assert (got["metadata"] or {}) == metadata
        expected = {**wanted["observation"]}
        assert {**expected.pop("metadata"), **metadata} == metadata
        assert got["observation"] == expected
        assert (got["reward"] or 0.0, got["done"]) == (as_json(wanted["reward"]), wanted["done"])


def test_synchronous_client(episode: tuple[Truth, str], peer: PeerPython) -> None:
    truth, url = episode
    reset = {"seed": SEED, "episode_id": "ep"}
    found = peer.call("tests.openenv.clients:play", url=url, actions=truth.actions, reset=reset)
    check(found["results"], truth)
    assert [state["step_count"] for state in found["states"]] == [*range(len(truth.results))]
    assert {state["episode_id"] for state in found["states"]} == {"ep"}


def test_asynchronous_clients_up_to_the_limit(episode: tuple[Truth, str], peer: PeerPython) -> None:
    truth, url = episode
    found = peer.call(
        "tests.openenv.clients:one_too_many",
        url=url,
        actions=truth.actions,
        reset={"seed": SEED},
        limit=SESSIONS,
    )
    assert len(found["episodes"]) == SESSIONS
    for played in found["episodes"]:
        check(played["results"], truth)
        assert played["state"]["step_count"] == len(truth.actions)
    (reported,) = found["reported"]
    assert "CAPACITY_REACHED" in reported


def test_openenv_validate(episode: tuple[Truth, str], peer: PeerPython) -> None:
    """What ``openenv validate --url`` checks."""
    _, url = episode
    report = peer.call(
        "openenv.cli._validation:validate_running_environment", base_url=url, timeout_s=60.0
    )
    assert report["passed"], report
    assert report["mode"] == "simulation"
    assert report["standard_profile"] == "openenv-http/1.x"


def test_the_command_openenv_validate() -> None:
    with serving("connect4") as served:
        done = subprocess.run(
            [str(OPENENV.bin / "openenv"), "validate", "--url", served.url("http")],
            env=peer_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
    assert done.returncode == 0, done.stdout + done.stderr
