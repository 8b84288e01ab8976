"""One seeded game of chess over five transports: ``make demo``.

Plays the same game five times, shows the last board, says whether the five trajectories are
identical, and prints what each transport puts between you and the environment, and what it costs.
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import gymnasium
import numpy as np
from rich.console import Console
from rich.table import Table

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import DockerError
from openenv_gym.testing.trajectory import Transition, play, same

ID, OPTIONS = "openenv/Chess-v0", {"opponent": "greedy", "agent_color": "white"}
SEED, STEPS = 2026, 400
TRANSPORTS = ("inprocess", "process", "websocket", "http", "docker")


class Game(NamedTuple):
    """What one transport made of it."""

    trajectory: list[Transition]
    board: str
    isolation: dict[str, Any]
    started: float
    steps: np.ndarray[Any, np.dtype[np.float64]]


class Clocked(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Times each step, in microseconds."""

    def __init__(self, env: gymnasium.Env[Any, Any]) -> None:
        super().__init__(env)
        self.times: list[float] = []

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Implements gymnasium.Wrapper.step."""
        begun = time.perf_counter_ns()
        result = self.env.step(action)
        self.times.append((time.perf_counter_ns() - begun) / 1000)
        return result  # type: ignore[return-value]


def prepare(transport: str) -> None:
    """Builds the image where it is not there yet, so that the start-up time is without that."""
    if transport == "docker":
        from openenv_gym_transports.containers.engine import connect
        from openenv_gym_transports.images.provide import provide

        engine = connect()
        try:
            provide(engine, "chess")
        finally:
            engine.close()


def play_over(transport: str) -> Game:
    """The game over one transport; up to its end."""
    begun = time.perf_counter()
    env = gymnasium.make(ID, transport=transport, render_mode="ansi", **OPTIONS)
    clocked = Clocked(env)
    try:
        clocked.reset(seed=SEED)
        started = time.perf_counter() - begun
        trajectory = []
        for transition in play(clocked, seed=SEED, steps=STEPS):
            trajectory.append(transition)
            if transition.terminated or transition.truncated:
                break
        board = str(env.render())
        return Game(trajectory, board, env.unwrapped.isolation, started, np.array(clocked.times))
    finally:
        env.close()


def describe(isolation: dict[str, Any]) -> str:
    """What is between the environment and this process, in a few words."""
    words = [str(isolation["boundary"])]
    if isolation["boundary"] == "container":
        words += [
            f"network {isolation['network']}",
            "read-only root" if isolation["read_only"] else "writable root",
            f"user {isolation['user']}",
            f"caps dropped: {','.join(isolation['cap_drop'])}",
        ]
    return ", ".join(words)


def main() -> int:
    """Plays, compares, prints."""
    console = Console()
    table = Table("transport", "isolation", "start-up", "p50 a step", "p99")
    games: dict[str, Game] = {}
    absent: list[str] = []
    for transport in TRANSPORTS:
        with console.status(f"playing over {transport} ..."):
            try:
                prepare(transport)
                game = games[transport] = play_over(transport)
            except DockerError as error:
                table.add_row(transport, "not shown, see below", "", "", "")
                absent.append(f"[yellow]{transport} is not shown: {error}")
                continue
        p50, p99 = np.percentile(game.steps, [50, 99])
        table.add_row(
            transport,
            describe(game.isolation),
            f"{game.started:.2f} s",
            f"{p50:.0f} µs",
            f"{p99:.0f} µs",
        )
    first = games["inprocess"]
    console.print(first.board, highlight=False)
    last = first.trajectory[-1]
    console.print(f"{len(first.steps)} steps, result {last.info['result']}, reward {last.reward}")
    differing = [
        name for name, game in games.items() if not same(game.trajectory, first.trajectory)
    ]
    if differing:
        console.print(f"[red]The trajectories over {', '.join(differing)} differ.")
    else:
        console.print(f"[green]The {len(games)} trajectories are identical, bit for bit.")
    console.print(table, *absent, sep="\n")
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
