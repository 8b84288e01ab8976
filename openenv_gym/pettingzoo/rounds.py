"""Games whose players act at once, stepped a round at a time."""

from __future__ import annotations

from typing import Any

import gymnasium
from gymnasium.spaces import Dict

from openenv_gym.errors import ActionError
from openenv_gym.pettingzoo.infos import open_mask
from openenv_gym.pettingzoo.turns import TurnBasedEnv


class Rounds(gymnasium.Wrapper[Any, Any, Any, Any]):
    """A game whose players act at once, stepped a round at a time, for JointEnv.

    The game asks its players one after the other and continues when all have chosen. An observation
    is a dict of ``observation``, the agent's own, and ``action_mask``. The action of an agent
    without a choice in this round is ignored, so its mask allows all actions. If an action ends the
    game, the actions of the following agents are ignored too.
    """

    def __init__(self, game: TurnBasedEnv) -> None:
        super().__init__(game.env)
        self._game = game
        self.metadata = {**game.metadata, "agents": game.possible_agents}
        self.action_space = Dict(game.action_spaces)
        self.observation_space = Dict(game.observation_spaces)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Implements gymnasium.Env.reset."""
        self._game.reset(seed, options)
        return self._observations(), self._game.info

    def step(
        self, action: dict[str, Any]
    ) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Implements gymnasium.Env.step.

        Raises:
            ActionError: An action is missing or not in its Space; nothing was stepped.
        """
        game = self._game
        due = [agent for agent, mask in zip(game.agents, game.masks, strict=True) if mask.any()]
        for agent in due:
            if agent not in action or not game.action_space(agent).contains(action[agent]):
                raise ActionError(
                    f"The action of {agent} is {action.get(agent)!r:.200}, which is not in its "
                    f"Space {game.action_space(agent)}. Nothing was stepped.",
                    agent=agent,
                )
        rewards = dict.fromkeys(game.agents, 0.0)
        terminated = truncated = False
        for agent in due:
            game.step(action[agent])
            rewards = {each: rewards[each] + game.rewards[each] for each in game.agents}
            terminated = any(game.terminations.values())
            truncated = any(game.truncations.values())
            if terminated or truncated:
                break
        info = {**game.info, "rewards": rewards}
        return self._observations(), 0.0, terminated, truncated, info

    def _observations(self) -> dict[str, Any]:
        game = self._game
        return {
            agent: {"observation": game.seen_by(agent), "action_mask": open_mask(mask)}
            for agent, mask in zip(game.possible_agents, game.masks, strict=True)
        }
