"""Plays a seeded episode of every game of TextArena twice, another between; prints JSON.

With the argument ``--once``, once. A program of its own, since the order of sets of texts is that
of a process.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
import sys
from typing import Any

import numpy as np

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import OpenEnvGymError
from openenv_gym_envs.textarena.games import ids

STEPS = 6
BRACKETED = re.compile(r"\[(?!GAME|Player)[^\[\]\n]{1,20}\]")


def made(env_id: str) -> tuple[OpenEnvGym, int]:
    """A game with as few players as it takes."""
    for players in (1, 2, 3, 4, 6):
        try:
            return OpenEnvGym("textarena", env_id=env_id, num_players=players), players
        except OpenEnvGymError as error:
            last = error
            if "num_players=" not in str(error):
                break
    raise last


def episode(env: OpenEnvGym, seed: int) -> tuple[str, bool]:
    """What it comes to; whether an observation was outside of its Space."""
    observation, info = env.reset(seed=seed)
    reported: list[Any] = [observation, info]
    outside = not env.observation_space.contains(observation)
    rng = np.random.default_rng(seed)
    for _ in range(STEPS):
        text = " ".join(message["content"] for message in observation["messages"])
        seen = [*BRACKETED.findall(text)][-20:] or ["[0]"]
        picked = rng.choice(seen, 2)  # two, since some games put them in a set
        observation, *rest = env.step(" ".join(picked))
        reported += [observation, *rest]
        outside |= not env.observation_space.contains(observation)
        if rest[1] or rest[2]:
            break
    reported.append(env.state())
    return hashlib.sha256(repr(reported).encode()).hexdigest(), outside


def numbers() -> str:
    """The state of the random numbers that all in a process share."""
    return repr((random.getstate(), np.random.get_state()))


def main() -> None:
    results: dict[str, Any] = {}
    for env_id in ids():
        game = env_id.removesuffix("-v0")
        before = numbers()
        try:
            env, players = made(env_id)
        except OpenEnvGymError as error:
            results[game] = {"error": str(error)}
            continue
        first, outside = episode(env, 3)
        results[game] = {"first": first, "outside": outside, "players": players}
        if "--once" not in sys.argv:
            episode(env, 4)
            results[game]["again"] = episode(env, 3)[0]
        env.close()
        results[game]["touched"] = numbers() != before
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
