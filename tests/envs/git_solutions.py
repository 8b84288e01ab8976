"""What a scripted agent does in each task of the Git environment."""

from __future__ import annotations

from collections.abc import Iterator

from openenv_gym_envs.git.environment import GitEnvironment
from openenv_gym_envs.git.models import GitAction, GitObservation
from openenv_gym_envs.git.tasks import TASKS


class Agent:
    """Acts in an environment, and keeps what came of it.

    Attributes:
        observations: All of it.
    """

    def __init__(self, env: GitEnvironment, task_id: str) -> None:
        self._env = env
        self._task_id = task_id
        self._repository = TASKS[task_id].repository
        self.observations: list[GitObservation] = []

    def solve(self) -> None:
        """Clones the repository, and does the task."""
        if self._task_id != "recover-commit":
            self._do(GitAction(action_type="clone_repo", repo_name=self._repository))
        for command in getattr(self, "_" + self._task_id.replace("-", "_"))():
            assert not self.observations or not self.observations[-1].done, command
            self.git(command)

    def git(self, command: str) -> str:
        """Runs a command; returns its output."""
        action = GitAction(
            action_type="execute_git_command", command=command, working_dir=self._repository
        )
        return self._do(action).output

    def _do(self, action: GitAction) -> GitObservation:
        self.observations.append(self._env.step(action))
        return self.observations[-1]

    def _find(self, subject: str, revisions: str) -> str:
        return self.git(f"log --format=%H --fixed-strings '--grep={subject}' {revisions}").strip()

    def _resolve_conflict(self) -> Iterator[str]:
        yield "merge origin/sensors"
        yield "checkout --theirs settings.ini"
        yield "add settings.ini"
        yield "commit --no-edit"
        yield "push"

    def _find_bad_commit(self) -> Iterator[str]:
        first = self.git("rev-list --max-parents=0 HEAD").strip()
        self.git("bisect start")
        self.git("bisect bad HEAD")
        reported = self.git(f"bisect good {first}")
        while "is the first bad commit" not in reported:
            result = self.git("show HEAD:test-result.txt")
            reported = self.git("bisect bad" if result.startswith("FAIL") else "bisect good")
        yield f"tag first-bad {reported.split()[0]}"
        yield "push origin first-bad"

    def _rebase_and_push(self) -> Iterator[str]:
        yield "switch basket"
        yield "rebase main"
        yield "push --force-with-lease origin basket"

    def _revert_commit(self) -> Iterator[str]:
        yield f"revert --no-edit {self._find('Send it twice a day', 'main')}"
        yield "push"

    def _cherry_pick(self) -> Iterator[str]:
        yield "switch release"
        yield f"cherry-pick {self._find('Fix the brakes', 'origin/develop')}"
        yield "push"

    def _squash_commits(self) -> Iterator[str]:
        yield "switch pond"
        yield "reset --soft main"
        yield "commit -m 'Dig a pond'"
        yield "push --force"

    def _recover_commit(self) -> Iterator[str]:
        yield "reflog"
        yield "reset --hard HEAD@{1}"
        yield "push"

    def _tag_release(self) -> Iterator[str]:
        commit = self._find("Work for 1.2", "main")
        yield f"tag -a v1.2.0 -m 'Release 1.2.0' {commit}"
        yield "push origin v1.2.0"

    def _amend_author(self) -> Iterator[str]:
        yield "commit --amend --no-edit '--author=Bob Baker <bob@example.com>'"
        yield "push --force"

    def _remove_secret(self) -> Iterator[str]:
        commit = self._find("Add the password", "main")
        yield f"rebase --onto {commit}~1 {commit} main"
        yield "push --force"
