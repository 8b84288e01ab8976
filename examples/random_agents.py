"""Agents that move at random play each other, in PettingZoo's form, over any transport.

    python -m pip install -e ".[pettingzoo,chess,server,bench]" && python examples/random_agents.py

Plays Connect4 in this process. ``--id openenv/Chess-v0 --transport docker`` plays chess in a
container, ``--id openenv/OpenSpiel.backgammon-v0`` one of OpenSpiel's games; the same seed gives
the same games over each transport.
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


def outcome(gain: float) -> str:
    """How a game ended, by the return of the agent that began."""
    if gain == 0.0:
        return "drawn"
    return "won by player_0" if gain > 0.0 else "lost by player_0"


def play(env: AECEnv[str, Any, Any], seed: int) -> float:
    """Plays one game; gives the return of the agent that began."""
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
            outcome(play(env, seed)) for seed in track(seeds, "playing", console=console)
        )
        console.print(str(env.render()), highlight=False)
    finally:
        env.close()
    for end, count in ends.most_common():
        console.print(f"{count:4} {end}", highlight=False)
    return ends


if __name__ == "__main__":
    main()
