"""How long a reset and a step of BrowserGym take, beside BrowserGym's own environment.

    python benchmarks/browser.py [--rounds N] [--json FILE]

Both play click-test in turn, one episode a round, in this process; the first episode of each, which
starts its browser, is not counted. A step is ``noop(0)`` or the click.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from environments import Ours
from rich.console import Console
from rich.table import Table

from openenv_gym.cli.benchmark.report import publish
from openenv_gym_envs.browsergym.bare import ACTIONS, ClickTest
from openenv_gym_envs.comparison import Player

BARS = {"reset": 1.5, "step": 0.6}  # seconds


def play(player: Player) -> dict[str, list[float]]:
    """Seconds that one episode took."""
    began = perf_counter()
    player.reset()
    times = {"reset": [perf_counter() - began], "step": []}
    over = False
    while not over:
        action = player.choose()
        began = perf_counter()
        over = player.step(action)
        times["step"].append(perf_counter() - began)
    return times


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=10, help="episodes of each (10)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all of it")
    arguments = parser.parse_args()
    players = {"ours": Ours("openenv/BrowserGym-v0", {}, ACTIONS), "bare": ClickTest()}
    spent: dict[str, dict[str, list[float]]] = {}
    console = Console(width=None if sys.stdout.isatty() else 100)
    try:
        with console.status("playing"):
            for turn in range(arguments.rounds + 1):
                for name, player in players.items():
                    for what, times in play(player).items():
                        if turn:
                            spent.setdefault(what, {}).setdefault(name, []).extend(times)
    finally:
        for player in players.values():
            player.close()
    table = Table("BrowserGym, p50", "ours, s", "bare, s", "bar, s")
    rows: list[dict[str, Any]] = []
    for what, times in spent.items():
        p50 = {name: float(np.median(values)) for name, values in times.items()}
        rows.append({"name": what, "bar_s": BARS[what], "p50_s": p50, "times_s": times})
        table.add_row(what, *(f"{p50[name]:.3f}" for name in players), f"<= {BARS[what]}")
    publish(console, table, rows, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
