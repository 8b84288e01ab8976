"""Trainers that the extra ``dev`` leaves out: their programs run where .ci/trainers ran before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".build" / "trainers-venv" / "bin" / "python"


@pytest.mark.timeout(1300)  # RLlib starts a cluster: a minute, and as much again on a busy machine
@pytest.mark.skipif(not PYTHON.exists(), reason="needs what .ci/trainers installs")
@pytest.mark.parametrize(
    "trainer",
    ["ray", "torchrl", "supersuit", "tianshou", "minari", "skyrl-gym", "rl_zoo3", "verifiers"],
)
def test_its_program_runs(trainer: str) -> None:
    words = [sys.executable, str(ROOT / ".ci" / "compat"), trainer]
    ran = subprocess.run(words, capture_output=True, text=True, check=False, timeout=1250)
    assert ran.returncode == 0, ran.stdout
    assert "ok, " in ran.stdout
