"""The examples run: short versions of them, as their users start them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def run(name: str, *arguments: str, folder: Path) -> str:
    """Runs an example in a folder; gives what it printed."""
    ran = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        capture_output=True,
        text=True,
        timeout=250,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def test_ppo_in_one_file(tmp_path: Path) -> None:
    printed = run(
        "cleanrl_style_ppo.py", "--total-timesteps", "2000", "--games", "20", folder=tmp_path
    )
    assert "of 20 games against the random opponent" in printed
    assert (tmp_path / "cleanrl_style_ppo.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("transport", ["inprocess", "websocket"])
def test_random_agents_play_the_same_games_over_each_transport(
    transport: str, tmp_path: Path
) -> None:
    printed = run("random_agents.py", "--games", "5", "--transport", transport, folder=tmp_path)
    # The same games over each transport.
    assert [line.strip() for line in printed.splitlines()[-2:]] == [
        "4 won by player_0",
        "1 lost by player_0",
    ]


@pytest.mark.parametrize("id", ["openenv/Chess-v0", "openenv/OpenSpiel.kuhn_poker-v0"])
def test_random_agents_play_other_games(id: str, tmp_path: Path) -> None:
    printed = run("random_agents.py", "--games", "2", "--id", id, folder=tmp_path)
    counts = re.findall(r"^ +(\d+) (?:drawn|won by|lost by)", printed, re.MULTILINE)
    assert sum(map(int, counts)) == 2
