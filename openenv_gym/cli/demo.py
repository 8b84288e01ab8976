"""``openenv-gym demo``: a short episode of each environment, in this process and in a container."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

from openenv_gym import registry
from openenv_gym.cli import INCOMPLETE
from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    EngineMissingError,
    ImageMissingError,
    MissingDependencyError,
    OpenEnvGymError,
)
from openenv_gym.registry import Entry
from openenv_gym.testing.episode import demo_episode
from openenv_gym.testing.trajectory import Transition, play, same
from openenv_gym.wire.progress_bar import progress_bar

SEED = 2026
TRANSPORTS = ("inprocess", "docker")
HEAD = ("environment", "transport", "start-up", "steps", "a step", "reward", "same")
NOT_HERE = (MissingDependencyError, EngineMissingError, ImageMissingError)
"""Errors which say that something is not installed, and nothing is wrong."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Plays a short seeded episode of each environment over each transport, and prints a table. "
        "Exit code: 0 if all were shown and are the same over each transport; 1 if one differs or "
        f"failed; {INCOMPLETE} if one could not be shown because something is not installed here."
    )
    parser.add_argument("environment", nargs="*", help="names of environments (all)")
    parser.add_argument(
        "--transport",
        nargs="+",
        default=list(TRANSPORTS),
        help=f"how they run ({' '.join(TRANSPORTS)}); the first is what the others must equal",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Play, and print a table.

    Returns:
        0: all were shown, and each trajectory is that over the first transport. 1: one differs, or
        an episode failed. 3: nothing is wrong, but what some need is not installed here.
    """
    begun = time.monotonic()
    log = sys.stderr if arguments.json else sys.stdout
    names = arguments.environment or list(registry.ENVIRONMENTS)
    entries = [registry.environment(name) for name in names]
    transports = [registry.transport(name).name for name in arguments.transport]
    every = [(entry, transport) for entry in entries for transport in transports]
    rows: list[tuple[str, ...]] = []
    troubles: list[tuple[str, OpenEnvGymError]] = []
    differing = 0
    firsts: dict[str, Played] = {}
    with progress_bar("demo", lambda *which: print(which[2], "...", file=log, flush=True)) as bar:
        for number, (entry, transport) in enumerate(every):
            bar(number, len(every), f"{entry.name} over {transport}")
            try:
                played = Played(entry, transport)
            except OpenEnvGymError as error:
                troubles.append((f"{entry.name} over {transport}", error))
                rows.append((entry.name, transport, f"{_verdict(error)}, see below", *[""] * 4))
                continue
            first = firsts.setdefault(entry.name, played)
            equal = same(played.trajectory, first.trajectory)
            differing += not equal
            rows.append(played.row("" if played is first else "yes" if equal else "NO"))
    failed = sum(not isinstance(why, NOT_HERE) for _, why in troubles)
    code = 1 if differing or failed else INCOMPLETE if troubles else 0
    if arguments.json:
        reasons = {what: f"{_verdict(why)}: {why}" for what, why in troubles}
        episodes = [dict(zip(HEAD, row, strict=True)) for row in rows]
        print_json({"episodes": episodes, "troubles": reasons})
        return code
    _print(HEAD, rows)
    alike: dict[tuple[str, str], list[str]] = {}  # one missing engine concerns all
    for what, why in troubles:
        alike.setdefault((_verdict(why), str(why)), []).append(what)
    for (verdict, reason), those in alike.items():
        print(f"\n{verdict.capitalize()}: {', '.join(those)}. {reason}")
    print(
        f"\n{len(rows) - len(troubles)} of {len(rows)} episodes shown, {differing} differ, "
        f"{failed} failed; {time.monotonic() - begun:.0f} s"
    )
    return code


def _verdict(error: OpenEnvGymError) -> str:
    return "not shown" if isinstance(error, NOT_HERE) else "failed"


class Played:
    """An episode over one transport.

    Args:
        entry: The environment.
        transport: Name of the transport.

    Attributes:
        trajectory: Its transitions.
    """

    def __init__(self, entry: Entry, transport: str) -> None:
        self._names = (entry.name, transport)
        episode = demo_episode(entry)
        self.trajectory: list[Transition] = []

        def make() -> OpenEnvGym:
            return OpenEnvGym(entry.name, transport=transport, **episode.options)

        if transport == "docker":
            make().close()  # the image is built, if need be, before anything is timed
        begun = time.perf_counter()
        env = make()
        try:
            playing = play(env, seed=SEED, steps=episode.steps, actions=episode.actions)
            self.trajectory.append(next(playing))
            self._started = time.perf_counter() - begun
            for transition in playing:
                self.trajectory.append(transition)
                if transition.terminated or transition.truncated:
                    break
            self._spent = time.perf_counter() - begun - self._started
        finally:
            env.close()

    def row(self, equal: str) -> tuple[str, ...]:
        """Return its row of the table.

        Args:
            equal: What to say of whether it equals the one over the first transport.
        """
        steps = len(self.trajectory) - 1
        return (
            *self._names,
            f"{self._started:.2f} s",
            str(steps),
            f"{1e3 * self._spent / max(steps, 1):.2f} ms",
            f"{sum(float(transition.reward) for transition in self.trajectory):g}",
            equal,
        )


def _print(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    print()
    for row in (head, *rows):
        print("  ".join(map(str.ljust, row, widths)).rstrip())
