"""Trajectories: what an environment gives for a seed and actions, to be compared bit for bit."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import gymnasium
import numpy as np

Env = gymnasium.Env[Any, Any]


class Transition(NamedTuple):
    """One reset or step: action (None for a reset), and what came back."""

    action: Any
    observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: dict[str, Any]


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same, bit for bit and type for type; NaN is the same as NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray | np.generic):
        return (
            bool(one.dtype == other.dtype)
            and one.shape == other.shape
            and one.tobytes() == other.tobytes()
        )
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


def play(env: Env, *, seed: int, steps: int, actions: Iterable[Any] = ()) -> Iterator[Transition]:
    """Begin an episode with a seed and steps it; begins a new one, unseeded, when one ends.

    Args:
        env: What is played.
        seed: Of the first reset, and of the random actions.
        steps: How many, resets within included.
        actions: The first ones; then random legal actions.
    """
    env.action_space.seed(seed)
    given = iter(actions)
    transition = Transition(None, *_reset(env, seed))
    yield transition
    for _ in range(steps):
        if transition.terminated or transition.truncated:
            transition = Transition(None, *_reset(env, None))
        else:
            action = next(given, None)
            if action is None:
                action = env.action_space.sample(transition.info.get("action_mask"))
            transition = Transition(action, *env.step(action))
        yield transition


def _reset(env: Env, seed: int | None) -> tuple[Any, float, bool, bool, dict[str, Any]]:
    observation, info = env.reset(seed=seed)
    return observation, 0.0, False, False, info
