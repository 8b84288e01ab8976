"""What a started process can import: what this one can, and no more."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

import openenv_gym  # registers openenv/*

ENVIRONMENT = """
import gymnasium
class Env(gymnasium.Env):
    observation_space = action_space = gymnasium.spaces.Discrete(9)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return {number}, {{}}
    def step(self, action):
        return 0, 0.0, False, False, {{}}
"""
TRAIN = """
import sys, gymnasium, openenv_gym
openenv_gym.register_environment("acme/Task-v0", "task:Env")
for transport in sys.argv[1:]:
    env = gymnasium.make("acme/Task-v0", transport=transport)
    print(transport, env.reset(seed=0)[0])
    env.close()
    gymnasium.make("openenv/Echo-v0", transport=transport).close()
"""
TRANSPORTS = ("inprocess", "process", "websocket")


def test_the_current_folder_is_not_looked_into(tmp_path: Path) -> None:
    """As a script's own process does not: no module there hides another, nor breaks one."""
    project, here = tmp_path / "project", tmp_path / "here"
    project.mkdir()
    here.mkdir()
    (project / "task.py").write_text(ENVIRONMENT.format(number=1))
    (project / "train.py").write_text(TRAIN)
    (here / "task.py").write_text(ENVIRONMENT.format(number=2))
    for name in ("random", "msgspec", "openenv_gym_envs"):
        (here / f"{name}.py").write_text("raise RuntimeError('not for you')\n")
    done = subprocess.run(
        [sys.executable, str(project / "train.py"), *TRANSPORTS],
        cwd=here,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110.0,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"{transport} 1" for transport in TRANSPORTS]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_what_is_not_a_text_in_sys_path_is_passed_over(
    transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python itself does."""
    monkeypatch.setattr(sys, "path", [*sys.path, tmp_path, b"bytes"])
    env = gymnasium.make("openenv/Echo-v0", transport=transport)
    assert env.reset(seed=0)[0] == "Echo environment ready!"
    env.close()


def test_a_relative_place_is_found_from_the_folder_of_this_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "relative_task.py").write_text(ENVIRONMENT.format(number=3))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("lib")
    env = openenv_gym.OpenEnvGym("relative_task:Env", transport="process")
    assert env.reset(seed=0)[0] == 3
    env.close()
