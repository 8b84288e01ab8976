"""Runs hostile programs in this container, as if its kernel had no Landlock; prints what failed."""

from __future__ import annotations

import json

from hostile import PROGRAMS  # in the same folder, wherever that is mounted

from openenv_gym_envs.coding.environment import CodingEnvironment
from openenv_gym_envs.coding.models import CodeAction
from openenv_gym_envs.git.environment import GitEnvironment
from openenv_gym_envs.git.models import GitAction
from openenv_gym_envs.sandbox import boundary

# What is readable there: files of the container, and what /proc tells of processes of its user.
READABLE = {"files: files of the host", "processes: memory of others"}


def main() -> None:
    boundary.landlock.abi = lambda: 0
    failed = {}
    env = CodingEnvironment(timeout_s=3.0, memory_mb=256)
    names = [name for name in PROGRAMS if name not in READABLE and not PROGRAMS[name].slow]
    for name in names:
        env.seed(1)
        env.reset()
        told = env.step(CodeAction(code=PROGRAMS[name].code))
        contained = told.exit_code in PROGRAMS[name].exit_codes and "SUCCEEDED" not in told.stdout
        env.reset()
        after = env.step(CodeAction(code="len('abc'), open('/dev/null').read()"))
        if not contained or after.stdout != '[3, ""]':
            failed[name] = (told.model_dump(), after.model_dump())
    env.reset()
    late = env.step(CodeAction(code="while True: pass")).exit_code
    env.close()
    git = GitEnvironment("tag-release")
    git.seed(0)
    git.reset()
    cloned = git.step(GitAction(action_type="clone_repo", repo_name="clock")).success
    git.close()
    report = {"boundary": boundary.boundary().name, "run": len(names), "failed": failed}
    print(json.dumps({**report, "late": late, "cloned": cloned}))


main()
