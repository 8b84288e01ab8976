"""Environments of ``openenv.core`` in our hands, as functions that a peer's process calls.

Only a peer's process can import this module.
"""

from __future__ import annotations

import json
import warnings
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from pydantic import Field
from pydantic_core import to_json

import openenv_gym
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import Action, Observation, State
from openenv_gym.client import EnvClient, client_class
from openenv_gym.errors import DefaultSpacesWarning
from openenv_gym.server.openenv_protocol.exchange import plain
from openenv_gym.spaces.describe import describe
from tests.openenv.calls import episode
from tests.openenv.environments import NestedAction, NestedObservation


class PullAction(Action):
    arm: int = Field(ge=0, le=3)


class PullObservation(Observation):
    paid: int = Field(default=0, ge=0, le=9)


class Quiet(Environment):  # type: ignore[type-arg]  # it tells nothing of its models
    """Has asynchronous methods, and no annotations that tell its models."""

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, most: int = 9) -> None:
        super().__init__()
        self._most = most
        self._state = State()

    def reset(self, seed=None, episode_id=None):  # type: ignore[no-untyped-def]
        raise AssertionError("the asynchronous one is to be called")

    async def reset_async(self, seed=None, episode_id=None, bonus: int = 0):  # type: ignore[no-untyped-def]
        self._random = np.random.default_rng(seed)
        self._bonus = bonus
        self._state = State(episode_id=episode_id)
        return PullObservation()

    def step(self, action):  # type: ignore[no-untyped-def]
        raise AssertionError("the asynchronous one is to be called")

    async def step_async(self, action):  # type: ignore[no-untyped-def]
        self._state.step_count += 1
        paid = min(int(self._random.integers(0, self._most + 1)) + self._bonus, 9)
        return PullObservation(paid=paid, reward=paid * action.arm, done=paid == self._most)

    @property
    def state(self) -> State:
        return self._state


class Drawn(Quiet):
    """Draws itself and offers actions at ``/web``, as OpenEnv's own Connect4 and others do."""

    action_type = PullAction
    observation_type = PullObservation

    def render_web(self, observation):  # type: ignore[no-untyped-def]
        if observation["paid"] == 8:
            raise RuntimeError("eights cannot be drawn")
        return (
            "<style>#paid { width: 90px; height: 40px }</style>"
            '<div id="paid" style="background:var(--color-accent)">'
            f"paid {observation['paid']}</div><p>reward {observation['reward']}</p>"
            '<img alt="dot" src="data:image/gif;base64,'
            'R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==">'
            "<script>document.title = parent.document.title = 'taken over'</script>"
            "<img src=x onerror=\"parent.document.title = 'taken over'\">"
        )

    def web_actions(self, observation):  # type: ignore[no-untyped-def]
        assert not observation["done"], "it is not asked after the end"
        return [(f"arm {arm}", {"arm": arm}) for arm in (1, 3)]


class NestedEnv(
    EnvClient[NestedAction, NestedObservation, State],
    environment="tests.openenv.environments:NestedEnvironment",
):
    pass


def _as_json(value: Any) -> Any:
    return json.loads(to_json(value, fallback=plain))


def register(id: str, environment: str, **keywords: Any) -> None:
    """What ``openenv_gym.register_environment`` does."""
    openenv_gym.register_environment(id, environment, **keywords)


def register_connect4(id: str) -> None:
    """Registers OpenEnv's, with Spaces for the fields that it does not bound."""
    spaces = {
        "column": Discrete(7),
        "board": describe(Box(-1, 1, (6, 7), np.int8)),
        "legal_actions": None,
    }
    environment = "tests.openenv.environments:Connect4Environment"
    openenv_gym.register_environment(id, environment, spaces=spaces)


def play(
    id: str,
    actions: list[Any],
    seed: int = 3,
    options: dict[str, Any] | None = None,
    reset: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """An episode of an environment that is registered, by its actions as JSON."""
    env = gymnasium.make(id, **(options or {}))
    try:
        results = [_as_json((*env.reset(seed=seed, options=reset), 0.0, False, False))]
        for action in actions:
            observation, reward, terminated, truncated, info = env.step(action)
            results.append(_as_json((observation, info, reward, terminated, truncated)))
        return {
            "results": results,
            "spaces": [str(env.action_space), str(env.observation_space)],
            "state": _as_json(env.unwrapped.state()),  # type: ignore[attr-defined]
        }
    finally:
        env.close()


def play_typed(actions: list[dict[str, Any]], **keywords: Any) -> list[Any]:
    """An episode of the nested environment with a typed client of its own models."""
    with NestedEnv(**keywords) as env:
        results = [env.reset(seed=3), *(env.step(NestedAction(**fields)) for fields in actions)]
        return [_as_json((result.observation, result.reward, result.done)) for result in results]


def play_tools(id: str, seeds: list[int], options: dict[str, Any]) -> list[Any]:
    """Episodes of sampled calls of tools: their outcomes, and the actions as JSON."""
    env = gymnasium.make(id, **options)
    try:
        played = [episode(env, seed, 200) for seed in seeds]
        return [{"outcomes": outcomes, "actions": actions} for outcomes, actions in played]
    finally:
        env.close()


def call_tool(id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the typed client of an id is, and gets of a tool."""
    kind = client_class(id)
    with kind() as client:
        client.reset()
        tools = [tool.name for tool in client.list_tools()]
        result = client.call_tool(name, **arguments)
    return {"client": kind.__name__, "tools": tools, "result": result}


def play_tasks(id: str, tasks: list[list[Any]], options: dict[str, Any]) -> dict[str, Any]:
    """What an environment says of its tasks, and episodes of some of them."""
    env = gymnasium.make(id, **options)
    try:
        known = env.unwrapped.tasks()  # type: ignore[attr-defined]
        episodes = []
        for split, index, answer in tasks:
            first, _ = env.reset(options={"split": split, "index": index})
            episodes.append(_as_json([first, *env.step(answer)]))
        return {"tasks": known, "episodes": episodes}
    finally:
        env.close()


def play_lanes(id: str, lanes: int, steps: int, **options: Any) -> list[Any]:
    """Rewards of lanes in a vector environment, after random actions."""
    envs = gymnasium.make_vec(id, num_envs=lanes, **options)
    try:
        envs.reset(seed=0)
        envs.action_space.seed(0)
        return [_as_json(envs.step(envs.action_space.sample())[1]) for _ in range(steps)]
    finally:
        envs.close()


def play_guesses(id: str, **options: Any) -> dict[str, Any]:
    """Steps of two lanes whose Spaces widen; the second does a step later."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DefaultSpacesWarning)
        envs = gymnasium.make_vec(id, num_envs=2, **options)
        try:
            seen = [envs.reset(seed=[0, 1])[0]]
            contained = [envs.observation_space.contains(seen[0])]
            for _ in range(8):
                seen.append(envs.step(np.zeros(2, np.int64))[0])
                contained.append(envs.observation_space.contains(seen[-1]))
            actions = str(envs.single_action_space)
        finally:
            envs.close()
    wider = [one for one in caught if "wider from now on" in str(one.message)]
    return {
        "contained": contained,
        "lengths": [[len(one) for one in observation["history"]] for observation in seen[:4]],
        "warnings": len(wider),
        "actions": actions,
    }


def sample(id: str, count: int, render_mode: str | None = None) -> dict[str, Any]:
    """An episode of random actions, to see that all of it is in its Spaces."""
    env = gymnasium.make(id, render_mode=render_mode)
    try:
        env.action_space.seed(0)
        seen = [env.reset(seed=0)[0]]
        while len(seen) <= count:
            observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
            seen.append(observation)
            if terminated or truncated:
                break
        contained = [bool(env.observation_space.contains(one)) for one in seen]
        return {"contained": contained, "spaces": [str(env.action_space)]}
    finally:
        env.close()
