"""The episode of Git that ``openenv-gym demo`` plays."""

from __future__ import annotations

from typing import Any

from openenv_gym.testing import Episode


def _git(command: str, kind: int = 2) -> dict[str, Any]:
    """An action of Git: a command in the repository; of kind 1, a clone of it."""
    place = {"repo_name": "bookshop", "target_dir": "", "working_dir": "bookshop"}
    return {"action_type": kind, **place, "command": command, "stdin": ""}


EPISODE = Episode(
    {"task_id": "rebase-and-push"},
    (_git("", 1), *map(_git, ("switch basket", "rebase main", "push --force origin basket"))),
    steps=4,
)
