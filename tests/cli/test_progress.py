"""Bars on a terminal, and none elsewhere: in a process whose stderr is a real terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("rich")

ROOT = Path(__file__).resolve().parents[2]
MANY = """
import gymnasium, openenv_gym
envs = gymnasium.make_vec("openenv/Echo-v0", num_envs=4, transport="process", workers=4)
envs.close()
"""
DEMO = ["-m", "openenv_gym.cli", "demo", "echo", "connect4", "--transport", "inprocess"]


def on_terminal(*words: str) -> str:
    """What a Python program writes to its stderr, which is a terminal."""
    end, terminal = pty.openpty()
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TERM": "xterm"}
    child = subprocess.Popen(
        [sys.executable, *words],
        cwd=ROOT,
        env=variables,
        stderr=terminal,
        stdout=subprocess.DEVNULL,
    )
    os.close(terminal)
    written = b""
    try:
        while part := os.read(end, 65536):
            written += part
    except OSError:  # the terminal is gone, with the last that had it
        pass
    finally:
        os.close(end)
    assert child.wait(120) == 0, written
    return re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", written.decode())


def test_the_start_of_many_workers() -> None:
    assert re.search(r"4/4 .*workers started", on_terminal("-c", MANY))


def test_the_demo() -> None:
    assert re.search(r"1/2 .*connect4 over inprocess", on_terminal(*DEMO))


@pytest.mark.parametrize("words", [["-c", MANY], DEMO])
def test_none_where_it_is_no_terminal(words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    assert ("echo over inprocess ...\n" in done.stdout) == (words is DEMO)
