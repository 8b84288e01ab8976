"""Git as a process of this one, without a sandbox, in a repository of one commit."""

from __future__ import annotations

import subprocess
import tempfile
from typing import Any

from openenv_gym_envs.comparison import Comparison, Player

STATUS = {
    "action_type": 2,
    "repo_name": "",
    "target_dir": "",
    "command": "status",
    "working_dir": "recipes",
    "stdin": "",
}
"""The same command as an action of the environment."""


class Status(Player):
    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()

    def reset(self) -> None:
        self._git("init", "--quiet")
        self._git("-c", "user.name=a", "-c", "user.email=a", "commit", "-qm1", "--allow-empty")

    def choose(self) -> Any:
        return "status"

    def step(self, action: Any) -> bool:
        self._git(action)
        return False

    def close(self) -> None:
        self._folder.cleanup()

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self._folder.name, check=True, capture_output=True)


COMPARISONS = (
    Comparison(
        "Git status",
        "openenv/Git-v0",
        Status,
        {"task_id": "recover-commit"},
        actions=(STATUS,),
    ),
)
