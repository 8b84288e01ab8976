"""What git reads of a repository before it does anything: nothing of that may run a program.

An agent's commands are checked before they are run (``git/commands.py``), so that none writes these
files. This looks at the files themselves, whoever wrote them, and by whatever way.
"""

from __future__ import annotations

import os
import re
import stat
import time
from pathlib import Path

from openenv_gym_envs.sandbox.inside.git_process import run

_SECONDS = 10.0
_LONGEST = 1 << 20
_CONFIGURATIONS = ("config", "config.worktree")
_PLAIN = re.compile(
    r"core\.(repositoryformatversion|filemode|bare|logallrefupdates|ignorecase|precomposeunicode"
    r"|symlinks|sharedrepository|sparsecheckout|sparsecheckoutcone)|index\.sparse"
    r"|extensions\.(objectformat|partialclone|worktreeconfig|refstorage)"
    r"|receive\.denynonfastforwards|submodule\.active"
    r"|remote\..*\.(url|pushurl|fetch|push|mirror|tagopt|promisor|partialclonefilter|prune"
    r"|skipdefaultupdate|skipfetchall)"
    r"|branch\..*\.(remote|pushremote|merge|rebase|description)"
    r"|user\.(name|email)|pull\.(rebase|ff)|push\.(default|autosetupremote)"
    r"|merge\.(conflictstyle|ff)|rebase\.(autosquash|autostash)|rerere\.enabled|advice\.\w+",
    re.DOTALL,
)
"""What git and an agent's ``git config`` may have written."""

_TODO = "rebase-merge/git-rebase-todo"
_RUNS = re.compile(rb"^[ \t]*(exec|x)[ \t]", re.MULTILINE)
_PARTS_OF_A_REPOSITORY = ("HEAD", "objects", "refs")
WRITERS = frozenset({"clone", "init", "mv", "merge-file", "format-patch", "read-tree"})
"""Subcommands that write to a path without asking whether that is git's own."""


class Guard:
    """Looks at repositories before git does.

    Args:
        root: The folder that they are in.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._plain: set[tuple[int, ...]] = set()  # configurations that were looked at

    def clear(self) -> None:
        """Forgets what it has seen."""
        self._plain.clear()

    def problem(self, at: Path, arguments: list[str]) -> str | None:
        """Return why git may not be run; None if it may.

        Args:
            at: The folder where it is to run, without links on the way.
            arguments: What it is to do.
        """
        if self._is_of_git(at):
            return "The working directory is one of git's own."
        if arguments and arguments[0] in WRITERS:
            for one in arguments[1:]:
                for path in (one, one.partition("=")[2]):
                    if path and self._is_of_git(at / path):
                        return f"{path[:200]} is one of git's own files."
        for folder in (at, *at.parents):
            if folder == self._root.parent:
                break
            found = self._problem_of(folder)
            if found is not None:
                return found
            if (folder / ".git").is_dir():
                break
        return None

    def _is_of_git(self, path: Path) -> bool:
        try:
            parts = os.path.relpath(path.resolve(), self._root).split(os.sep)
        except (OSError, ValueError, RuntimeError):  # no path at all, so git finds none either
            return False
        return any(part.lower() == ".git" for part in parts)

    def _problem_of(self, folder: Path) -> str | None:
        """Return what is wrong with a folder as the top of a repository, if it is one."""
        if all(os.path.lexists(folder / part) for part in _PARTS_OF_A_REPOSITORY):
            return "The working directory is in what git would take for a bare repository."
        own = folder / ".git"
        if not os.path.lexists(own):
            return None
        if own.is_symlink() or not own.is_dir():
            return "The repository is not a folder of its own."
        if os.path.lexists(own / "commondir"):
            return "The repository takes its configuration from elsewhere."
        todo = own / _TODO
        if os.path.lexists(todo) and (not _is_file(todo) or _RUNS.search(todo.read_bytes())):
            return "The rebase that has begun would run a program: git rebase --abort."
        for name in _CONFIGURATIONS:
            key = self._strange_key(own / name)
            if key is not None:
                return f"The repository's configuration has {key[:200]!r}, which is not allowed."
        return None

    def _strange_key(self, path: Path) -> str | None:
        if not os.path.lexists(path):
            return None
        if not _is_file(path):
            return path.name
        status = path.stat()
        seen = (status.st_dev, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
        if seen in self._plain:
            return None
        asked = ["config", "--file", str(path), "--no-includes", "--name-only", "-z", "--list"]
        done = run(asked, "/", b"", {}, time.monotonic() + _SECONDS, _LONGEST)
        if done.status or done.fate != "exited":
            return None  # git reads no more of it than this
        keys = done.stdout.decode(errors="replace").split("\0")[:-1]
        strange = next((key for key in keys if not _PLAIN.fullmatch(key)), None)
        if strange is None and len(done.stdout) < _LONGEST:
            self._plain.add(seen)
            return None
        return strange or "so much"


def _is_file(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)
