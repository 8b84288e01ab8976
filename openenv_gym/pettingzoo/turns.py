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

_OWN = frozenset({"action_mask", "action_masks", "observations"})  # no agent sees another's


class TurnBasedEnv(AECEnv[str, Any, Any]):
    """A ``gymnasium.Env`` of several players, who move in turn, as an ``AECEnv``.

    Agents are ``player_0`` and so on, in the order of ``current_player_id``. Where actions are
    Discrete an observation is a dict, as in PettingZoo's own games: ``observation``, which all
    agents share unless the info has ``observations``, one for each; and ``action_mask``, all 0 for
    an agent whose turn it is not.

    A reward is the mover's, and its negative is the other player's; an action that the mask
    forbids costs only who chose it. An environment whose info has ``rewards`` says itself what
    each player got.

    Args:
        env: The environment; it is closed with this one.

    Attributes:
        env: The environment.
        info: What all agents are told.
        masks: Of each agent, where all act at once: (agents, actions) int8.

    Raises:
        OptionError: It has one player; it was closed.
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
        # An object for each agent, since each has the state of its own sampling.
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
        """Implements AECEnv.reset; options that the environment does not know are left out."""
        observation, info = lenient_reset(self.env, seed, options)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        # AECEnv's own, which a game leaves behind that was not played to its very end.
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
        """What the agent sees, without a mask."""
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
        # What last() told the mover is settled; what the step brought counts from now on.
        self._cumulative_rewards[mover] = 0.0
        self._accumulate_rewards()

    def _take(self, observation: Any, info: dict[str, Any]) -> None:
        self._observation = observation
        if self._actions is not None:
            # Where the environment does not tell, all actions are legal.
            self._mask = info.get("action_mask", np.ones(int(self._actions.n), np.int8))
        self._of_each = info.get("observations")
        self.masks: Any = info.get("action_masks")
        self.info = {key: value for key, value in info.items() if key not in _OWN}
        self.infos = {agent: dict(self.info) for agent in self.agents}

    def _turn(self, info: dict[str, Any]) -> str:
        number = info.get("current_player_id")
        if not isinstance(number, int) or not 0 <= number < len(self.possible_agents):
            raise EnvironmentFailedError(
                f"{self} has {len(self.possible_agents)} players, and its info does not tell "
                f"which of them is to move: current_player_id is {number!r}. Its author must give "
                "it, from 0.",
                current_player_id=number,
            )
        return self.possible_agents[number]

    def _rewards_of(
        self, mover: str, action: Any, reward: float, info: dict[str, Any]
    ) -> list[float]:
        """What each agent got by a step, before the next observation is taken."""
        told = info.get("rewards")
        if told is not None and len(told) == len(self.agents):
            return [float(each) for each in told]
        if told is not None or len(self.agents) != 2:
            raise EnvironmentFailedError(
                f"{self} has {len(self.agents)} players, and its info does not tell what each of "
                f"them got: rewards is {told!r}. Its author must give a list with one for each.",
                rewards=told,
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
