"""Runs hostile programs in this container, with the kernel's Landlock or as if there were none.

Prints what failed, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from attacks import OF_GIT, PROGRAMS  # in the same folder, wherever that is mounted

from openenv_gym_envs.coding.environment import CodingEnvironment
from openenv_gym_envs.coding.models import CodeAction
from openenv_gym_envs.git.environment import GitEnvironment
from openenv_gym_envs.git.folder import Folder, FolderLostError
from openenv_gym_envs.git.models import GitAction
from openenv_gym_envs.sandbox import boundary

# What is readable without Landlock: files of the container, and what /proc says of processes of its
# user, but not of the process that has the sandbox.
READABLE = {
    "files: files of the host",
    "files: secrets of the host",
    "processes: memory of others",
}


def coding(skipped: set[str]) -> tuple[int, dict[str, Any]]:
    failed: dict[str, Any] = {}
    env = CodingEnvironment(timeout_s=3.0, memory_mb=256)
    names = [name for name in PROGRAMS if name not in skipped and not PROGRAMS[name].slow]
    for name in names:
        env.seed(1)
        env.reset()
        reported = env.step(CodeAction(code=PROGRAMS[name].code))
        contained = (
            reported.exit_code in PROGRAMS[name].exit_codes and "SUCCEEDED" not in reported.stdout
        )
        env.reset()
        after = env.step(CodeAction(code="len('abc'), open('/dev/null').read()"))
        if not contained or after.stdout != '[3, ""]':
            failed[name] = (reported.model_dump(), after.model_dump())
    env.reset()
    assert env.step(CodeAction(code="while True: pass")).exit_code == 124
    env.close()
    return len(names), failed


def git(skipped: set[str]) -> tuple[int, dict[str, Any]]:
    failed: dict[str, Any] = {}
    system = "/usr/bin/python3"
    program = system if os.path.exists(system) else boundary.python()
    arguments = ["-c", f"alias.x=!{program} -", "x"]
    folder = Folder()
    names = [name for name in OF_GIT if name not in skipped]
    for name in names:
        reported: Any = None
        try:
            seconds = 1.0 if OF_GIT[name].slow else 30.0
            reported = folder.run(arguments, stdin=OF_GIT[name].code, seconds=seconds)
        except FolderLostError:
            contained = OF_GIT[name].lost
        else:
            status = 124 if reported.fate == "timeout" else reported.status
            contained = "SUCCEEDED" not in reported.stdout and status in OF_GIT[name].exit_codes
        folder.clear()
        after = folder.run(["-c", "alias.x=!ls -A", "x"])
        if not contained or after.stdout or not after.succeeded:
            failed[name] = (repr(reported), repr(after))
    folder.close()
    return len(names), failed


def main() -> None:
    skipped: set[str] = set()
    if sys.argv[1] == "without":
        boundary.landlock.abi = lambda: 0
        skipped = READABLE
    report: dict[str, Any] = {"coding": coding(skipped), "git": git(skipped)}
    env = GitEnvironment("tag-release")
    env.seed(0)
    env.reset()
    report["cloned"] = env.step(GitAction(action_type="clone_repo", repo_name="clock")).success
    env.close()
    print(json.dumps({**report, "boundary": boundary.boundary().name}))


main()
