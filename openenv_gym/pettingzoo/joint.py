"""Environments whose agents all act at the same time."""

from __future__ import annotations

from typing import Any, cast

import gymnasium
from gymnasium.spaces import Dict, Space
from pettingzoo import ParallelEnv

from openenv_gym.pettingzoo.infos import numbers_of
from openenv_gym.pettingzoo.resets import lenient_reset


class JointEnv(ParallelEnv[str, Any, Any]):
    """A ``ParallelEnv`` of a ``gymnasium.Env`` whose agents all act at the same time.

    Its Spaces, actions and observations are Dicts by the names of the agents. The agents' rewards
    are in the info, ``rewards``; the agents share its other numbers and arrays, which trainers
    batch.

    Args:
        env: The environment, which is closed with this one.

    Attributes:
        env: The environment.
        info: The whole last info.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        self.env = env
        name = "it" if env.spec is None else env.spec.id
        self.metadata = {**env.metadata, "name": name}
        self.render_mode = env.render_mode
        self.possible_agents = list(env.metadata["agents"])
        self.agents: list[str] = []
        self.info: dict[str, Any] = {}
        actions, observations = cast("Dict", env.action_space), cast("Dict", env.observation_space)
        self.action_spaces = {agent: actions[agent] for agent in self.possible_agents}
        self.observation_spaces = {agent: observations[agent] for agent in self.possible_agents}

    def observation_space(self, agent: str) -> Space[Any]:
        """Implements ParallelEnv.observation_space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Implements ParallelEnv.action_space."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Implements ParallelEnv.reset, without options that the environment does not know."""
        observation, info = lenient_reset(self.env, seed, options)
        self.agents = self.possible_agents[:]
        return observation, self._shared(info)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[
        dict[str, Any],
        dict[str, float],
        dict[str, bool],
        dict[str, bool],
        dict[str, dict[str, Any]],
    ]:
        """Implements ParallelEnv.step.

        Raises:
            ActionError: An action is missing or not in its Space; nothing was stepped.
        """
        observation, _, terminated, truncated, info = self.env.step(actions)
        agents = self.agents
        if terminated or truncated:
            self.agents = []
        return (
            observation,
            {agent: info["rewards"][agent] for agent in agents},
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, truncated),
            self._shared(info),
        )

    def _shared(self, info: dict[str, Any]) -> dict[str, dict[str, Any]]:
        self.info = info
        shared = {key: value for key, value in numbers_of(info).items() if key != "rewards"}
        return {agent: dict(shared) for agent in self.possible_agents}

    def render(self) -> Any:
        """Implements ParallelEnv.render."""
        return self.env.render()

    def close(self) -> None:
        """Implements ParallelEnv.close."""
        self.env.close()
