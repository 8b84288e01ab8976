"""Agents that move at random play each other, in PettingZoo's form, over any transport.

    python -m pip install -e ".[pettingzoo,chess,server,bench]" && python examples/random_agents.py

Plays Connect4 in this process. ``--id openenv/Chess-v0 --transport docker`` plays chess in a
container; the same seed gives the same games over each transport.
"""

from __future__ import annotations

import argparse
from collections import Counter
from typing import Any

from pettingzoo import AECEnv
from rich.console import Console
from rich.progress import track

from openenv_gym.pettingzoo import aec_env
from openenv_gym.registry import TRANSPORTS

OUTCOMES = {1.0: "won by player_0", -1.0: "won by player_1", 0.0: "drawn"}


def play(env: AECEnv[str, Any, Any], seed: int) -> float:
    """Plays one game; gives the return of the agent that began, whose losses are the other's."""
    env.reset(seed=seed)
    for number, agent in enumerate(env.agents):
        env.action_space(agent).seed(seed + number)
    total = 0.0
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, _ = env.last()
        if agent == "player_0":
            total += reward
        over = terminated or truncated
        action = None if over else env.action_space(agent).sample(observation["action_mask"])
        env.step(action)
    return total


def main(arguments: list[str] | None = None) -> Counter[str]:
    """Plays, prints the last board, counts how the games ended."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--id", default="openenv/Connect4-v0", help="the game (%(default)s)")
    parser.add_argument("--transport", default="inprocess", choices=list(TRANSPORTS))
    parser.add_argument("--games", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)

    console = Console()
    env = aec_env(given.id, transport=given.transport, opponent="self", render_mode="ansi")
    try:
        seeds = range(given.seed, given.seed + given.games)
        ends = Counter(
            OUTCOMES[play(env, seed)] for seed in track(seeds, "playing", console=console)
        )
        console.print(str(env.render()), highlight=False)
    finally:
        env.close()
    for outcome, count in ends.most_common():
        console.print(f"{count:4} {outcome}", highlight=False)
    return ends


if __name__ == "__main__":
    main()
