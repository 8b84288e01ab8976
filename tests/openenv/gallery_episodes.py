"""Seeded episodes of the environments of :mod:`tests.openenv.gallery`, whoever serves them.

The values of Spaces are turned into JSON here by hand, so that what is compared does not go by the
converters that are tested.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np

from tests.openenv.calls import call, calls_of

COUNT = 20
_ITEMS = ("bread", "milk", "salt")


def _item(value: Any) -> dict[str, Any]:
    return {"name": _ITEMS[value["name"]], "count": int(value["count"][0])}


def _optional(value: Any, read: Callable[[Any], Any] = lambda value: value) -> Any:
    return None if value[0] == 0 else read(value[1])


SENT: dict[str, Callable[[Any], dict[str, Any]]] = {
    "riddle": lambda value: {"guess": value},
    "depot": lambda value: {
        "put": _item(value["put"]),
        "on": np.asarray(value["on"]).tolist(),
        "note": _optional(value["note"]),
    },
    "camera": lambda value: {"pan": float(value["pan"][0]), "flash": bool(value["flash"])},
    "gauges": lambda value: {"settings": json.loads(value)},
    "quiz": lambda value: {"answer": int(value)},
}
"""The fields that OpenEnv's client sends, of values of the action space."""

SEEN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "riddle": lambda value: {
        "text": value["text"],
        "guesses": list(value["guesses"]),
        "hint": _optional(value["hint"]),
    },
    "depot": lambda value: {
        "shelves": [
            {"label": shelf["label"], "items": [_item(item) for item in shelf["items"]]}
            for shelf in value["shelves"]
        ],
        "totals": value["totals"].tolist(),
        "last": _optional(value["last"], _item),
    },
    "camera": lambda value: {
        "image": value["image"].tolist(),
        "frame": int(value["frame"][0]),
    },
    "gauges": lambda value: {
        "readings": {name: float(one[0]) for name, one in value["readings"].items()},
        "labels": json.loads(value["labels"]),
        "report": json.loads(value["report"]),
    },
    "quiz": lambda value: {"question": value.tolist()},
}
"""The fields of OpenEnv's observation, of values of the observation space."""


def reset_options(name: str, seed: int) -> dict[str, Any]:
    """Return the options of a reset: for those with tasks, one of these."""
    return {"split": "train", "index": seed % 8} if name == "quiz" else {}


def episodes(id: str, name: str, count: int = COUNT, **options: Any) -> list[dict[str, Any]]:
    """Play episodes of sampled actions; return them as JSON, with the actions that were sent."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        env = gymnasium.make(id, disable_env_checker=True, **options)
        try:
            return [_episode(env, name, seed) for seed in range(count)]
        finally:
            env.close()


def _episode(env: gymnasium.Env[Any, Any], name: str, seed: int) -> dict[str, Any]:
    calls = calls_of(env) if name == "safe" else None
    env.action_space.seed(seed)
    observation, info = env.reset(seed=seed, options=reset_options(name, seed))
    outcomes = [_outcome(env, name, observation, info, 0.0, False)]
    actions: list[dict[str, Any]] = []
    while not outcomes[-1]["done"] and len(actions) < 30:
        value = env.action_space.sample()
        if calls is None:
            actions.append(SENT[name](value))
        else:
            made = calls.call(value)
            actions.append(call(made.tool, **made.arguments))
        observation, reward, terminated, truncated, info = env.step(value)
        assert not truncated
        outcomes.append(_outcome(env, name, observation, info, float(reward), terminated))
    return {"actions": actions, "outcomes": outcomes}


def _outcome(
    env: gymnasium.Env[Any, Any],
    name: str,
    value: Any,
    info: dict[str, Any],
    reward: float,
    done: bool,
) -> dict[str, Any]:
    assert env.observation_space.contains(value), (value, env.observation_space)
    seen = dict(value) if name == "safe" else SEEN[name](value)
    return {"seen": seen, "info": info, "reward": reward, "done": done}
