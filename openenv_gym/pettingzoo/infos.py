"""Infos and masks of agents that are stepped together, in a form that trainers can batch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv
from pettingzoo.utils.wrappers import BaseParallelWrapper

Infos = dict[str, dict[str, Any]]


def numbers_of(info: dict[str, Any]) -> dict[str, Any]:
    """Return the items of an info that are numbers or arrays of numbers."""
    return {name: value for name, value in info.items() if _is_numeric(value)}


def _is_numeric(value: Any) -> bool:
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf"
    return isinstance(value, bool | int | float | np.number | np.bool_)


def open_mask(mask: NDArray[np.int8]) -> NDArray[np.int8]:
    """Return a mask that allows at least one action.

    The action of an agent whose turn it is not is ignored, so it may choose any. With a mask of
    zeros the distributions of most trainers become NaN.
    """
    return mask if mask.any() else np.ones_like(mask)


class Together(BaseParallelWrapper[str, Any, Any]):
    """Agents that move in turn, stepped together.

    Infos are numbers and arrays; the masks of agents whose turn it is not allow all actions.

    Args:
        env: The environment, whose ``unwrapped.info`` has everything.
    """

    def __init__(self, env: ParallelEnv[str, Any, Any]) -> None:
        super().__init__(env)
        self.possible_agents = env.possible_agents

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], Infos]:
        """Implements ParallelEnv.reset."""
        observations, infos = self.env.reset(seed=seed, options=options)
        return _opened(observations), _numeric(infos)

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], Infos]:
        """Implements ParallelEnv.step."""
        observations, rewards, terminations, truncations, infos = self.env.step(actions)
        return _opened(observations), rewards, terminations, truncations, _numeric(infos)


def _numeric(infos: Infos) -> Infos:
    return {agent: numbers_of(info) for agent, info in infos.items()}


def _opened(observations: dict[str, Any]) -> dict[str, Any]:
    for seen in observations.values():
        if isinstance(seen, dict) and "action_mask" in seen:
            seen["action_mask"] = open_mask(seen["action_mask"])
    return observations
