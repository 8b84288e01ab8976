"""Git with a Gitea by its address: a fake one, see gitea.py."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import gymnasium
import pytest

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.errors import EnvironmentFailedError, OptionError
from openenv_gym_envs.git.environment import GitEnvironment
from openenv_gym_envs.git.models import GitAction
from openenv_gym_envs.git.tasks import TASKS
from tests.envs.git_solutions import Agent
from tests.envs.gitea import TOKEN, FakeGitea


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gitea")


@pytest.fixture(scope="module")
def gitea(root: Path) -> Iterator[FakeGitea]:
    with FakeGitea(root) as gitea:
        yield gitea


@pytest.fixture
def env(gitea: FakeGitea) -> Iterator[GitEnvironment]:
    env = GitEnvironment(gitea_url=gitea.url, gitea_token=TOKEN)
    yield env
    env.close()


@pytest.mark.parametrize("task_id", ["resolve-conflict", "find-bad-commit", "recover-commit"])
def test_task_is_solved_as_with_the_embedded_server(env: GitEnvironment, task_id: str) -> None:
    """To the bit."""
    embedded = GitEnvironment()
    trajectories = []
    for one in (embedded, env):
        one.seed(5)
        first = one.reset(task_id=task_id)  # type: ignore[arg-type]
        agent = Agent(one, task_id)
        agent.solve()
        trajectories.append([first, *agent.observations])
    embedded.close()
    assert trajectories[0] == trajectories[1]
    assert trajectories[1][-1].reward == 1.0


def test_what_was_pushed_is_gone_after_a_reset(env: GitEnvironment, root: Path) -> None:
    for _ in range(2):
        env.seed(1)
        env.reset(task_id="cherry-pick")
        env.step(GitAction(action_type="clone_repo", repo_name="railway"))
        refs = subprocess.run(
            ["git", f"--git-dir={root}/railway.git", "for-each-ref"], capture_output=True, text=True
        ).stdout
        assert "refs/heads/mine" not in refs
        assert "refs/heads/develop" in refs
        push = GitAction(
            action_type="execute_git_command",
            command="push origin HEAD:refs/heads/mine",
            working_dir="railway",
        )
        assert env.step(push).success


def test_a_repository_of_somebody_elses_is_not_deleted(env: GitEnvironment, root: Path) -> None:
    subprocess.run(["git", "init", "--quiet", "--bare", root / "garden.git"], check=True)
    (root / "garden.git/description").write_text("My garden")
    with pytest.raises(EnvironmentFailedError, match=r"garden .* not of openenv-gym"):
        env.reset(task_id="squash-commits")
    assert (root / "garden.git/HEAD").exists()


def test_the_agent_reaches_nothing_but_the_repository_of_its_task(
    env: GitEnvironment, gitea: FakeGitea
) -> None:
    env.reset(task_id="tag-release")
    del gitea.asked[:]
    for url in (
        f"{gitea.url}/openenv/clock.git",
        "http://gitea:3000/openenv/garden.git",
        "http://gitea:3000/other/clock.git",
        "http://gitea:3000/openenv/../openenv/garden.git",
        "http://gitea:3000/api/v1/user",
        "http://user:password@gitea:3000/openenv/garden.git",
    ):
        action = GitAction(action_type="execute_git_command", command=f"ls-remote {url}")
        assert not env.step(action).success, url
    assert gitea.asked == []
    ours = GitAction(
        action_type="execute_git_command",
        command="ls-remote http://gitea:3000/openenv/clock.git",
    )
    assert env.step(ours).success


def test_without_a_task_the_repositories_are_left_as_they_are(
    env: GitEnvironment, gitea: FakeGitea, root: Path
) -> None:
    env.reset(task_id="tag-release")
    del gitea.asked[:]
    env.close()
    free = GitEnvironment("free", gitea.url, TOKEN)
    free.reset()
    names = {one["name"] for one in free.step(GitAction(action_type="list_repos")).repos}
    assert names == {path.stem for path in root.glob("*.git")}
    assert free.step(GitAction(action_type="clone_repo", repo_name="clock")).success
    free.close()
    assert not any(one.startswith("DELETE") for one in gitea.asked)


def test_errors_say_what_is_wrong(gitea: FakeGitea) -> None:
    with pytest.raises(EnvironmentFailedError, match="401") as caught:
        GitEnvironment(gitea_url=gitea.url, gitea_token="wrong")
    assert caught.value.fields == {"url": gitea.url, "status": 401}
    with pytest.raises(EnvironmentFailedError, match="does not answer"):
        GitEnvironment(gitea_url="http://127.0.0.1:9", gitea_token=TOKEN)
    with pytest.raises(OptionError, match="is not a valid address"):
        GitEnvironment(gitea_url="gitea:3000", gitea_token=TOKEN)


def test_another_process_reaches_the_gitea_too(gitea: FakeGitea) -> None:
    env = gymnasium.make(
        "openenv/Git-v0",
        transport="process",
        task_id="tag-release",
        gitea_url=gitea.url,
        gitea_token=TOKEN,
    )
    observation, info = env.reset(seed=0)
    assert info["task_id"] == "tag-release"
    assert TASKS["tag-release"].instruction in observation["output"]
    env.close()
