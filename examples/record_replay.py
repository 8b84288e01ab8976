"""Record a game, play it again without the environment, and see where another agent leaves it.

    python -m pip install -e '.[connect4]' && python examples/record_replay.py game.oeg

``--transport docker`` records what happens in a container; the replay needs no Docker.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np

import openenv_gym
from openenv_gym.errors import ReplayError

ID = "openenv/Connect4-v0"
Agent = Callable[[np.ndarray], int]


def leftmost(mask: np.ndarray) -> int:
    """Choose the leftmost column that is free."""
    return int(mask.argmax())


def rightmost(mask: np.ndarray) -> int:
    """Choose the rightmost column that is free."""
    return len(mask) - 1 - int(mask[::-1].argmax())


def play(env: gym.Env[Any, Any], agent: Agent) -> list[np.ndarray]:
    """Play a seeded game; return the boards."""
    observation, info = env.reset(seed=7)
    boards, over = [observation], False
    while not over:
        observation, _, terminated, truncated, info = env.step(agent(info["action_mask"]))
        boards.append(observation)
        over = terminated or truncated
    env.close()
    return boards


def main(arguments: list[str] | None = None) -> None:
    """Record a game, and replay it to two agents."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", nargs="?", default="game.oeg")
    parser.add_argument("--transport", default="inprocess")
    parsed = parser.parse_args(arguments)

    recorded = play(
        openenv_gym.record(gym.make(ID, transport=parsed.transport), parsed.file), leftmost
    )
    print(f"{parsed.file} has {len(recorded) - 1} moves")

    replay: dict[str, Any] = {"transport": "replay", "transport_options": {"file": parsed.file}}
    again = play(gym.make(ID, **replay), leftmost)
    print("the replay is the same:", all(map(np.array_equal, recorded, again)))
    try:
        play(gym.make(ID, **replay), rightmost)
    except ReplayError as error:
        print("another agent:", error)


if __name__ == "__main__":
    main()
