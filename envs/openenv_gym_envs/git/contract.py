"""The contract tests of Git, which run over every transport, and its JSON fields."""

from __future__ import annotations

from typing import Any, ClassVar

from openenv_gym.testing import EnvironmentContract
from openenv_gym_envs.openenv_fields import OpenEnvFields

OPENENV = OpenEnvFields(
    action={
        "action_type": "str",
        "repo_name": "str",
        "target_dir": "str?",
        "command": "str",
        "working_dir": "str",
    },
    observation={
        "success": "bool",
        "message": "str",
        "output": "str",
        "error": "str",
        "repos": "[obj]",
    },
    sample={"action_type": "list_repos"},
    state={"gitea_ready": "bool", "workspace_path": "str"},
    reset_reward=None,
)


def _git(command: str = "", kind: int = 2, name: str = "", folder: str = "bookshop") -> Any:
    texts = {"repo_name": name, "target_dir": "", "command": command, "working_dir": folder}
    return {"action_type": kind, **texts, "stdin": ""}


class TestGit(EnvironmentContract):
    """Hashes of commits are in what is compared."""

    id = "openenv/Git-v0"
    options: ClassVar[dict[str, Any]] = {"task_id": "rebase-and-push"}
    steps = 14
    actions = (
        _git(kind=0),
        _git(kind=1, name="bookshop"),
        _git("switch basket"),
        _git("log --stat --graph --all"),
        _git("rebase main"),
        _git("stash list --unknown"),
        _git("rev-parse --show-toplevel HEAD"),
        _git("fsck --unreachable --no-reflogs"),
        _git("gc"),
        _git("commit --allow-empty -m 'Nothing\u0301'"),
        _git("reflog --date=iso --all"),
        _git("push", folder="/workspace/bookshop"),
        _git("reset --hard HEAD~1"),
        _git("push --force origin basket"),
    )
