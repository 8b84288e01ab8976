"""Git: its actions, tasks and rewards; what is refused is in test_git_refusals."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import typing
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from openenv_gym.errors import MissingDependencyError, OptionError
from openenv_gym_envs.git import GitEnv, environment, folder
from openenv_gym_envs.git.environment import FREE, GitEnvironment
from openenv_gym_envs.git.models import GitAction, GitObservation
from openenv_gym_envs.git.tasks import TASKS
from tests.envs.git_solutions import Agent
from tests.troubles import children, running


@pytest.fixture(scope="module")
def env() -> Iterator[GitEnvironment]:
    env = GitEnvironment()
    yield env
    env.close()


def git(env: GitEnvironment, command: str, where: str = "", stdin: str = "") -> GitObservation:
    action = GitAction(
        action_type="execute_git_command", command=command, working_dir=where, stdin=stdin
    )
    return env.step(action)


def clone(env: GitEnvironment, name: str, target: str | None = None) -> GitObservation:
    return env.step(
        GitAction.model_validate(
            {"action_type": "clone_repo", "repo_name": name, "target_dir": target}
        )
    )


def solve(env: GitEnvironment, task_id: str, seed: int) -> list[GitObservation]:
    env.seed(seed)
    first = env.reset(task_id=task_id)  # type: ignore[arg-type]
    agent = Agent(env, task_id)
    agent.solve()
    return [first, *agent.observations]


@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("seed", [1, 2])
def test_task_is_solved_by_its_last_push_and_not_before(
    env: GitEnvironment, task_id: str, seed: int
) -> None:
    reported = solve(env, task_id, seed)
    assert [one.reward for one in reported] == [None] + [0.0] * (len(reported) - 2) + [1.0], (
        reported[-1]
    )
    assert [one.done for one in reported] == [False] * (len(reported) - 1) + [True]
    assert env.state.solved
    assert {one.task_id for one in reported} == {task_id}
    assert reported[0].instruction in reported[0].output


@pytest.mark.parametrize("task_id", TASKS)
def test_the_same_seed_and_commands_give_the_same_to_the_bit(
    env: GitEnvironment, task_id: str
) -> None:
    """Hashes of commits are in there."""
    other = GitEnvironment()
    assert solve(other, task_id, 7) == solve(env, task_id, 7)
    other.close()


@pytest.mark.parametrize("task_id", TASKS)
def test_task_is_not_solved_by_other_pushes(env: GitEnvironment, task_id: str) -> None:
    env.seed(3)
    env.reset(task_id=task_id)  # type: ignore[arg-type]
    clone(env, TASKS[task_id].repository, "elsewhere")
    for command in (
        "commit --allow-empty -m 'nothing'",
        "push origin main",
        "tag -f v1.2.0",
        "tag first-bad HEAD~1",
        "push origin v1.2.0 first-bad",
        "push origin main:sensors main:basket main:release main:pond --force",
    ):
        observation = git(env, command, "elsewhere")
        assert not observation.done, command
        assert observation.reward == 0.0
    assert not env.state.solved


def test_the_names_of_tasks_are_those_of_the_option() -> None:
    assert typing.get_args(environment.TaskId) == (FREE, *TASKS)


def test_the_seed_draws_the_task(env: GitEnvironment) -> None:
    drawn = []
    for seed in range(30):
        env.seed(seed)
        env._task_id = None
        drawn.append(env.reset().task_id)
    assert len(set(drawn)) > 6


def test_what_was_pushed_is_gone_after_a_reset(env: GitEnvironment) -> None:
    env.seed(1)
    env.reset(task_id="free")
    clone(env, "garden")
    before = git(env, "ls-remote", "garden").output
    git(env, "commit --allow-empty -m more", "garden")
    assert git(env, "push origin HEAD HEAD:refs/heads/new HEAD:refs/tags/t", "garden").success
    assert git(env, "ls-remote", "garden").output != before
    env.seed(1)
    env.reset(task_id="free")
    assert git(env, "status", "garden").error == "Working directory does not exist.\n"
    clone(env, "garden")
    assert git(env, "ls-remote", "garden").output == before


def test_list_repos_names_the_tasks_repository(env: GitEnvironment) -> None:
    env.reset(task_id="cherry-pick")
    observation = env.step(GitAction(action_type="list_repos"))
    assert observation.success
    assert observation.message == "Found 1 repositories"
    assert observation.repos == [
        {
            "name": "railway",
            "full_name": "openenv/railway",
            "clone_url": "http://gitea:3000/openenv/railway.git",
            "description": "A model railway with a branch for releases",
        }
    ]
    assert observation.repos[0]["clone_url"] in observation.output
    env.reset(task_id="free")
    assert len(env.step(GitAction(action_type="list_repos")).repos) == len(TASKS)


def test_clone_repo_replaces_a_folder_and_names_what_is_missing(env: GitEnvironment) -> None:
    env.reset(task_id="cherry-pick")
    observation = clone(env, "railway", "here")
    assert observation.success
    assert observation.message == "Successfully cloned railway"
    assert observation.output.startswith("Cloned to: /workspace/here\nCommit: ")
    git(env, "rm -r .", "here")
    assert clone(env, "railway", "here").success, "a folder that is there is replaced"
    assert git(env, "status --short", "here").output == ""
    missing = clone(env, "nothing")
    assert (missing.success, missing.message) == (False, "Failed to clone repository: nothing")
    assert "not found" in missing.error
    for name, target in (("", None), ("../store", None), ("railway", "../x"), ("railway", "/x")):
        assert not clone(env, name, target).success


def test_execute_tells_outputs_and_failures(env: GitEnvironment) -> None:
    env.reset(task_id="cherry-pick")
    clone(env, "railway")
    assert git(env, "git branch --show-current", "railway").output == "main\n"
    assert git(env, "rev-parse --show-toplevel", "/workspace/railway").output == (
        "/workspace/railway\n"
    )
    assert git(env, "-P log -1 --format=%s", "railway").output == "Lay the track\n"
    failed = git(env, "checkout nowhere", "railway")
    assert (failed.success, failed.message) == (False, "Git command failed")
    assert "nowhere" in failed.error
    for where in ("nowhere", "../..", "/etc", "railway/track.txt"):
        assert git(env, "status", where).error == "Working directory does not exist.\n"
    assert env.state.step_count == 9


def test_stdin_is_how_files_are_written(env: GitEnvironment) -> None:
    env.reset(task_id="cherry-pick")
    clone(env, "railway")
    patch = "--- a/track.txt\n+++ b/track.txt\n@@ -1 +1 @@\n-oval\n+figure of éight\n"
    assert git(env, "apply --index -", "railway", patch).success
    git(env, "commit -F -", "railway", "Lay it anew\n\nA figure of eight.")
    assert git(env, "show HEAD:track.txt", "railway").output == "figure of éight\n"
    assert git(env, "log -1 --format=%b", "railway").output == "A figure of eight.\n\n"


def test_commits_have_one_author_and_times_of_the_episode(env: GitEnvironment) -> None:
    env.reset(task_id="cherry-pick")
    clone(env, "railway")
    git(env, "commit --allow-empty -m one", "railway")
    reported = git(env, "log -1 '--format=%an %ae %aI %cr'", "railway").output
    assert reported == "Agent agent@example.com 2025-04-11T00:02:00+00:00 60 seconds ago\n"


def test_editors_leave_what_they_are_given(env: GitEnvironment) -> None:
    env.seed(0)
    env.reset(task_id="squash-commits")
    clone(env, "garden")
    git(env, "switch pond", "garden")
    git(env, "rm fish-0.txt", "garden")
    assert git(env, "commit --fixup HEAD~1", "garden").success
    assert git(env, "rebase -i --autosquash main", "garden").success
    reported = git(env, "log --format=%s main..", "garden").output
    assert "fixup" not in reported
    assert reported.startswith("wip ")


def test_progress_is_not_told(env: GitEnvironment) -> None:
    reported = solve(env, "rebase-and-push", 1)
    rebased = next(one for one in reported if "Successfully rebased" in one.error)
    assert rebased.error == "Successfully rebased and updated refs/heads/basket.\n"


def test_outputs_are_cut_at_the_option() -> None:
    env = GitEnvironment("find-bad-commit", max_output=300)
    env.reset()
    clone(env, "calculator")
    observation = git(env, "log", "calculator")
    assert len(observation.output) == 300
    assert observation.output.endswith("[cut at 300 characters]\n")
    assert env.spaces()["output"].contains(observation.output)
    env.close()


def test_the_picture_is_the_last_step(env: GitEnvironment) -> None:
    env.reset(task_id="cherry-pick")
    git(env, "status")
    env.render_mode = "ansi"
    rendered = env.render()
    assert rendered is not None
    assert rendered.startswith("execute_git_command status\n---\nfatal: not a git repository")


def test_the_typed_client_lists_and_clones() -> None:
    with GitEnv(transport="process", task_id="tag-release") as client:
        assert client.reset(seed=0).observation.task_id == "tag-release"
        result = client.step(GitAction(action_type="clone_repo", repo_name="clock"))
        assert result.observation.success
        listed = client.step(GitAction(action_type="list_repos")).observation
        assert [one["name"] for one in listed.repos] == ["clock"]
        state = client.state()
        assert (state.task_id, state.gitea_ready, state.workspace_path, state.step_count) == (
            *("tag-release", True, "/workspace"),
            2,
        )


def test_gitea_wants_both_options() -> None:
    with pytest.raises(OptionError, match="go together"):
        GitEnvironment(gitea_url="http://localhost:3000")


def test_a_missing_git_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "GIT", "/nowhere/git")
    with pytest.raises(MissingDependencyError, match="apt-get install git"):
        GitEnvironment()


def test_close_leaves_no_process() -> None:
    before = children()
    env = GitEnvironment()
    env.reset()
    assert len(children() - before) == 2
    env.close()
    env.close()
    assert children() == before


_OWNER = """
import sys, time
from openenv_gym_envs.git.environment import GitEnvironment
from openenv_gym_envs.git.models import GitAction
from openenv_gym_envs.sandbox import boundary, process
if sys.argv[1] == "landlock":
    process.boundary = boundary.Landlock
env = GitEnvironment("recover-commit", timeout_s=600)
env.reset()
env._server.answer = lambda request: time.sleep(600)
url = f"http://gitea:3000/openenv/{sys.argv[2]}.git"
env.step(GitAction(action_type="execute_git_command", command=f"ls-remote {url}"))
"""


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("boundary", ["bubblewrap", "landlock"])
def test_a_killed_owner_leaves_no_process(boundary: str, tmp_path: Path) -> None:
    """In the middle of a command that would go on for ten minutes."""
    marker = f"marker-{os.getpid()}-{boundary}"
    command = [sys.executable, "-c", _OWNER, boundary, marker]
    owner = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(tmp_path)})
    # Git, and what it has started for the URL.
    wait_until(lambda: len(running(f"{marker}.git")) > 1)
    owner.kill()
    owner.wait()
    wait_until(lambda: not running(marker))
    # Landlock lets nothing be deleted outside of the folders, so these stay, and nothing in them.
    wait_until(lambda: not [*tmp_path.glob("*/*")])
