"""Games whose players move in turn."""

from __future__ import annotations

import copy
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space
from pettingzoo import AECEnv

from openenv_gym.errors import EnvironmentFailedError, OptionError
from openenv_gym.pettingzoo.resets import lenient_reset

_OWN = frozenset({"action_mask", "action_masks", "observations"})  # hidden from other agents


class TurnBasedEnv(AECEnv[str, Any, Any]):
    """An ``AECEnv`` of a ``gymnasium.Env`` for several players, who move in turn.

    Agents are called ``player_0`` and so on, in the order of ``current_player_id``. If actions are
    Discrete, an observation is a dict, as in PettingZoo's own games: ``observation``, which all
    agents share unless the info has ``observations``, one for each; and ``action_mask``, all 0 for
    an agent whose turn it is not.

    The player who moved gets the reward, and the other player gets its negative; an action that the
    mask forbids costs only the player who chose it. An environment whose info has ``rewards``
    decides the reward of each player itself.

    Args:
        env: The environment, which is closed with this one.

    Attributes:
        env: The environment.
        info: The info that all agents share.
        masks: Masks of the agents, where all act at once: (agents, actions) int8.

    Raises:
        OptionError: The environment has one player; it was closed.
    """

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.env = env
        name = "it" if env.spec is None else env.spec.id
        players = int(env.metadata.get("players", 1))
        if players < 2:
            env.close()
            raise OptionError(
                f"{name} has one player with these options, so there is no game for PettingZoo: "
                'give the option that leaves all sides to the caller (opponent="self" of chess '
                "and connect4), or use gymnasium.make.",
                id=name,
            )
        self.metadata = {**env.metadata, "name": name, "is_parallelizable": False}
        self.render_mode = env.render_mode
        self.possible_agents = [f"player_{number}" for number in range(players)]
        self.agents: list[str] = []
        observed = env.observation_space
        self._actions = env.action_space if isinstance(env.action_space, Discrete) else None
        if self._actions is not None:
            mask = Box(0, 1, (int(self._actions.n),), np.int8)
            observed = Dict({"observation": observed, "action_mask": mask})
        # Each agent has an object of its own, since Spaces keep the state of their sampling.
        agents = self.possible_agents
        self.observation_spaces = {agent: copy.deepcopy(observed) for agent in agents}
        self.action_spaces = {agent: copy.deepcopy(env.action_space) for agent in agents}

    def observation_space(self, agent: str) -> Space[Any]:
        """Implements AECEnv.observation_space."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Space[Any]:
        """Implements AECEnv.action_space."""
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Implements AECEnv.reset, without options that the environment does not know."""
        observation, info = lenient_reset(self.env, seed, options)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        # AECEnv leaves this attribute behind if a game was not played to its very end.
        self._skip_agent_selection = None  # type: ignore[assignment]
        self._take(observation, info)
        self.agent_selection = self._turn(info)

    def observe(self, agent: str) -> Any:
        """Implements AECEnv.observe."""
        seen = self.seen_by(agent)
        if self._actions is None:
            return seen
        mask = self._mask if agent == self.agent_selection else np.zeros_like(self._mask)
        return {"observation": seen, "action_mask": mask}

    def seen_by(self, agent: str) -> Any:
        """Return the agent's observation without a mask."""
        if self._of_each is None:
            return self._observation
        return self._of_each[self.possible_agents.index(agent)]

    def step(self, action: Any) -> None:
        """Implements AECEnv.step.

        Raises:
            ActionError: The action is not in the action space; nothing was stepped.
        """
        mover = self.agent_selection
        if self.terminations[mover] or self.truncations[mover]:
            self._was_dead_step(action)
            return
        observation, reward, terminated, truncated, info = self.env.step(action)
        rewards = self._rewards_of(mover, action, float(reward), info)
        self.rewards = dict(zip(self.agents, rewards, strict=True))
        self.terminations = dict.fromkeys(self.agents, bool(terminated))
        self.truncations = dict.fromkeys(self.agents, bool(truncated))
        self._take(observation, info)
        if terminated or truncated:
            after = self.agents.index(mover) + 1
            self.agent_selection = self.agents[after % len(self.agents)]
        else:
            self.agent_selection = self._turn(info)
        # The agent who moved got its rewards from last(); the rewards of this step count from now.
        self._cumulative_rewards[mover] = 0.0
        self._accumulate_rewards()

    def _take(self, observation: Any, info: dict[str, Any]) -> None:
        self._observation = observation
        if self._actions is not None:
            # If the environment gives no mask, all actions are legal.
            self._mask = info.get("action_mask", np.ones(int(self._actions.n), np.int8))
        self._of_each = info.get("observations")
        self.masks: Any = info.get("action_masks")
        self.info = {key: value for key, value in info.items() if key not in _OWN}
        self.infos = {agent: dict(self.info) for agent in self.agents}

    def _turn(self, info: dict[str, Any]) -> str:
        number = info.get("current_player_id")
        if not isinstance(number, int) or not 0 <= number < len(self.possible_agents):
            raise EnvironmentFailedError(
                f"{self} has {len(self.possible_agents)} players, but its info does not say whose "
                f"turn it is: current_player_id is {number!r}. Its author must set the player's "
                "number, from 0.",
                current_player_id=number,
            )
        return self.possible_agents[number]

    def _rewards_of(
        self, mover: str, action: Any, reward: float, info: dict[str, Any]
    ) -> list[float]:
        """Return the agents' rewards of a step, before the next observation is taken."""
        rewards = info.get("rewards")
        if rewards is not None and len(rewards) == len(self.agents):
            return [float(each) for each in rewards]
        if rewards is not None or len(self.agents) != 2:
            raise EnvironmentFailedError(
                f"{self} has {len(self.agents)} players, but its info does not have their rewards: "
                f"rewards is {rewards!r}. Its author must set a list with a reward for each "
                "player.",
                rewards=rewards,
            )
        actions = self._actions
        legal = actions is None or bool(self._mask[int(action) - int(actions.start)])
        # 0.0 - reward: a draw is 0.0 for both, not -0.0.
        other = 0.0 - reward if legal else 0.0
        return [reward if agent == mover else other for agent in self.agents]

    def render(self) -> Any:
        """Implements AECEnv.render."""
        return self.env.render()

    def close(self) -> None:
        """Implements AECEnv.close."""
        self.env.close()
