"""``openenv-gym record``: random episodes in a file, which ``transport="replay"`` plays."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np

from openenv_gym.cli.arguments import add_json, add_options, add_server, options_of, print_json
from openenv_gym.env import OpenEnvGym
from openenv_gym.env.record import record
from openenv_gym.errors import OptionError

STEPS = 1000
"""Steps of an episode that does not end before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_what_to_play(parser)
    parser.add_argument("file", type=Path, help="where the recording is written: game.oeg")
    parser.add_argument("--render-mode", help="also record a picture of each step: rgb_array, ansi")


def add_what_to_play(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of episodes that are played at random."""
    parser.add_argument("environment", help="name, id, module:Class or folder of the environment")
    parser.add_argument("--transport", help="how it runs")
    add_server(parser, ": ws://..., http://..., unix://...")
    add_options(parser)
    parser.add_argument("--episodes", type=int, default=1, metavar="N", help="how many (1)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first episode (0); the next has one more"
    )
    parser.add_argument(
        "--steps", type=int, default=STEPS, metavar="N", help=f"end an episode after N ({STEPS})"
    )
    add_json(parser)


def check_counts(arguments: argparse.Namespace) -> None:
    """Check that there is something to play.

    Raises:
        OptionError: No episodes, or no steps.
    """
    if arguments.episodes < 1 or arguments.steps < 1:
        raise OptionError("--episodes and --steps must be 1 or more.")


def reach(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the keywords of ``make`` that the arguments of :func:`add_what_to_play` mean."""
    return {
        "transport": arguments.transport,
        "url": arguments.url,
        "token": arguments.token,
        "options": options_of(arguments.option),
    }


def play(
    env: gymnasium.Env[Any, Any],
    arguments: argparse.Namespace,
    seen: Callable[[], object] = lambda: None,
) -> int:
    """Play random legal actions; return the number of steps.

    Args:
        env: The environment.
        arguments: Have episodes, seed and steps.
        seen: Called after each reset and step.
    """
    env.action_space.seed(arguments.seed)
    count = 0
    for seed in range(arguments.seed, arguments.seed + arguments.episodes):
        _, info = env.reset(seed=seed)
        seen()
        for _ in range(arguments.steps):
            mask = info.get("action_mask")
            if mask is not None and not np.any(mask):
                break
            _, _, terminated, truncated, info = env.step(env.action_space.sample(mask))
            seen()
            count += 1
            if terminated or truncated:
                break
    return count


def run(arguments: argparse.Namespace) -> int:
    """Record, and say what was."""
    check_counts(arguments)
    mode = arguments.render_mode
    env = OpenEnvGym(arguments.environment, render_mode=mode, **reach(arguments))
    try:
        record(env, arguments.file)
        steps = play(env, arguments, env.render if mode is not None else lambda: None)
    finally:
        env.close()
    size = arguments.file.stat().st_size
    if arguments.json:
        counts = {"episodes": arguments.episodes, "steps": steps, "bytes": size}
        print_json({"file": str(arguments.file), **counts})
    else:
        print(f"{arguments.file}: {arguments.episodes} episodes, {steps} steps, {size} bytes")
    return 0
