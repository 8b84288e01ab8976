"""CartPole as gymnasium makes it."""

from __future__ import annotations

from typing import Any

import gymnasium

from openenv_gym_envs.comparison import Comparison, Player


class CartPole(Player):
    def __init__(self) -> None:
        self._env = gymnasium.make("CartPole-v1")

    def reset(self) -> None:
        self._env.reset(seed=0)

    def choose(self) -> Any:
        return self._env.action_space.sample()

    def step(self, action: Any) -> bool:
        _, _, terminated, truncated, _ = self._env.step(action)
        return terminated or truncated

    def close(self) -> None:
        self._env.close()


COMPARISONS = (
    Comparison("CartPole", "openenv/Gymnasium-v0", CartPole, {"env_id": "CartPole-v1"}, 0.7),
)
