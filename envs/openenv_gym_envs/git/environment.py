"""The Git environment: git commands in a workspace, with OpenEnv's fields, and tasks."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from gymnasium.spaces import Space
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import EnvironmentFailedError, OptionError
from openenv_gym.models import ClientOption
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym_envs.git.commands import RefusedError, parse
from openenv_gym_envs.git.folder import Finished, Folder, FolderLostError
from openenv_gym_envs.git.history import BEGIN
from openenv_gym_envs.git.models import MAX_OUTPUT, GitAction, GitObservation, GitState
from openenv_gym_envs.git.repository_server import EmbeddedServer, GiteaServer, Server
from openenv_gym_envs.git.task import Task
from openenv_gym_envs.git.tasks import TASKS
from openenv_gym_envs.sandbox.boundary import WORKSPACE
from openenv_gym_envs.sandbox.inside.capture import cut

FREE = "free"
"""The name of having no task."""

TaskId = Literal[
    "free",
    "resolve-conflict",
    "find-bad-commit",
    "rebase-and-push",
    "revert-commit",
    "cherry-pick",
    "squash-commits",
    "recover-commit",
    "tag-release",
    "amend-author",
    "remove-secret",
]

_LONGEST_CHARACTER = 4  # bytes in UTF-8
_TRUSTED_SECONDS = 60.0
_MINUTE = 60
_STARTED = BEGIN + 100 * 86_400  # after all histories
_PERSON = ("Agent", "agent@example.com")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_REDRAWN = re.compile(r"[^\n]*\r(?!\n)")  # progress: what a line said before it was drawn again


# What a client of a server may ask for: limits that are no wider than the default ones.
_Seconds = Annotated[float, Field(gt=0, le=10)]
_Characters = Annotated[int, Field(ge=256, le=MAX_OUTPUT)]


class GitEnvironment(Environment[GitAction, GitObservation, GitState]):
    """Git commands in a workspace without a network, but for one server of repositories.

    Each episode has a task. Its reward is 1 for the push by which it is done, which ends the
    episode; all else is 0. The server's repositories are made anew at each reset.

    Commits are made by one person, at times that go on by a minute with each step, so that the
    same commands make the same hashes.

    Args:
        task_id: The task of all episodes; ``"free"``: none, and the repositories of all of them;
            None: one is drawn at each reset.
        gitea_url: A Gitea that has the repositories; None: the embedded server, which is a stand-in
            for one.
        gitea_token: Its token, of a user whose repositories of the tasks' names may be deleted.
        timeout_s: Seconds until a command is killed.
        max_output: Most characters of ``output`` and of ``error``.

    Raises:
        OptionError: ``gitea_url`` without ``gitea_token``, or the other way round.
        MissingDependencyError: Git or bubblewrap is not installed.
        EnvironmentFailedError: No sandbox can be made here, or the Gitea does not answer.
    """

    render_modes = ("ansi",)
    beyond_openenv = ("task_id", "instruction")

    def __init__(
        self,
        task_id: Annotated[TaskId | None, ClientOption()] = None,
        gitea_url: str | None = None,
        gitea_token: str | None = None,
        timeout_s: Annotated[float, Field(gt=0, le=600), ClientOption(_Seconds)] = 10.0,
        max_output: Annotated[
            int, Field(ge=256, le=1 << 20), ClientOption(_Characters)
        ] = MAX_OUTPUT,
    ) -> None:
        if (gitea_url is None) != (gitea_token is None):
            raise OptionError("gitea_url and gitea_token go together: give both, or neither.")
        self._task_id = task_id
        self._timeout = timeout_s
        self._output = max_output
        self._server: Server = (
            GiteaServer(gitea_url, gitea_token)
            if gitea_url is not None and gitea_token is not None
            else EmbeddedServer()
        )
        self._restores = gitea_url is None
        try:
            self._folder = Folder()
        except BaseException:
            self._server.close()
            raise
        self._task: Task | None = None
        self._state = GitState()
        self._last = ""

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The outputs are as long as the option says."""
        return {"output": Utf8(self._output), "error": Utf8(self._output)}

    def tasks(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """Implements Environment.tasks: the built-in ones; the last two are of ``"test"``."""
        split = {"train": [*TASKS][:-2], "test": [*TASKS][-2:]}
        return {
            name: [
                {"id": id, "index": index, "instruction": TASKS[id].instruction}
                for index, id in enumerate(ids)
            ]
            for name, ids in split.items()
        }

    def reset(
        self,
        task_id: TaskId | None = None,
        split: str | None = None,
        index: int | None = None,
        episode_id: str | None = None,
    ) -> GitObservation:
        """Begin an episode: an empty workspace, and the server as if nothing had been pushed.

        Args:
            task_id: The task of this episode.
            split: Split of the task, in place of its name.
            index: Index of the task in its split.
            episode_id: Name of the episode in :attr:`state`.
        """
        task = self.chosen_task(split, index)
        task_id = task_id if task is None else task["id"]
        chosen = task_id or self._task_id or list(TASKS)[self.np_random.integers(len(TASKS))]
        self._folder.clear()
        self._state = GitState(episode_id=episode_id, task_id=chosen)
        self._task = None if chosen == FREE else TASKS[chosen](self.np_random)
        self._begin()
        self._state.gitea_ready = True
        self._last = ""
        return self._observed(
            True,
            f"Task {chosen}" if self._task else "No task",
            f"{self._instruction()}\nWorkspace: {WORKSPACE}\n{self._listing()}",
        )

    def _begin(self) -> None:
        """Make the repositories, and what the workspace begins with."""
        tasks = [self._task] if self._task else []
        if self._task is None and self._restores:
            tasks = [make(self.np_random) for make in TASKS.values()]
        marks = self._server.begin(
            {one.repository: (one.description, one.history) for one in tasks}
        )
        for one in tasks:
            one.marks = marks[one.repository]
        if self._task is not None:
            url = self._server.clone_url(self._task.repository)
            for number, command in enumerate(self._task.workspace):
                words = shlex.split(command.format(url=url))
                folder = self._task.repository if number else ""
                done = self._git(words, folder, seconds=_TRUSTED_SECONDS)
                if not done.succeeded:
                    raise EnvironmentFailedError(
                        f"The workspace of {self._task.id} could not be made: {done.stderr}",
                        task_id=self._task.id,
                    )

    def step(self, action: GitAction) -> GitObservation:
        """Implements Environment.step."""
        self._state.step_count += 1
        self._last = f"{action.action_type} {action.repo_name}{action.command}\n---\n"
        try:
            if action.action_type == "list_repos":
                observation = self._list()
            elif action.action_type == "clone_repo":
                observation = self._clone(action.repo_name, action.target_dir or action.repo_name)
            else:
                observation = self._execute(action)
        except FolderLostError as error:
            observation = self._observed(
                False, "The sandbox broke; the episode is over", error=f"{error}\n"
            )
            observation.done = observation.truncated = True
        if self._task is not None:
            observation.reward = float(self._state.solved)
        self._last += f"{observation.output}{observation.error}[{observation.message}]\n"
        return observation

    def _list(self) -> GitObservation:
        found = self._server.repositories()
        observation = self._observed(True, f"Found {len(found)} repositories", self._listing())
        observation.repos = found
        return observation

    def _listing(self) -> str:
        found = self._server.repositories()
        if not found:
            return "No repositories available.\n"
        lines = [
            f"  - {one['name']}: {one['clone_url']}\n    {one['description']}" for one in found
        ]
        return "\n".join(["Available repositories:", *lines, ""])

    def _clone(self, name: str, target: str) -> GitObservation:
        if not _NAME.fullmatch(name) or not _NAME.fullmatch(target):
            return self._observed(
                False,
                f"Failed to clone repository: {name}",
                error="repo_name and target_dir are names: letters, digits, '.', '_', '-'.\n",
            )
        self._folder.remove(target)
        done = self._git(["clone", self._server.clone_url(name), target])
        if not done.succeeded:
            return self._observed(
                False, f"Failed to clone repository: {name}", error=self._error(done)
            )
        head = self._git(["rev-parse", "HEAD"], target).stdout
        return self._observed(
            True,
            f"Successfully cloned {name}",
            f"Cloned to: {WORKSPACE}/{target}\nCommit: {head}",
            self._error(done),
        )

    def _execute(self, action: GitAction) -> GitObservation:
        try:
            words = parse(action.command)
        except RefusedError as error:
            return self._observed(False, "Git command refused", error=f"{error}\n")
        done = self._git(
            words, action.working_dir.removeprefix(WORKSPACE).lstrip("/"), action.stdin
        )
        succeeded = done.succeeded
        # Nothing else changes what is on the server.
        if succeeded and words[0] == "push" and self._task is not None:
            self._state.solved = self._task.solved(self._server.look(self._task.repository))
        observation = self._observed(
            succeeded,
            f"Git command {'succeeded' if succeeded else 'failed'}",
            self._settled(words, done.stdout),
            self._error(done),
        )
        observation.done = self._state.solved
        return observation

    def _git(
        self, words: list[str], folder: str = "", stdin: str = "", seconds: float | None = None
    ) -> Finished:
        now = f"{_STARTED + self._state.step_count * _MINUTE} +0000"
        environment = {"GIT_TEST_DATE_NOW": now.split()[0]}
        for role in ("AUTHOR", "COMMITTER"):
            environment[f"GIT_{role}_DATE"] = now
            environment[f"GIT_{role}_NAME"], environment[f"GIT_{role}_EMAIL"] = _PERSON
        return self._folder.run(
            words,
            folder,
            stdin=stdin,
            environment=environment,
            seconds=seconds or self._timeout,
            longest=(self._output + 1) * _LONGEST_CHARACTER,
            answer=self._server.answer,
        )

    def _settled(self, words: list[str], output: str) -> str:
        """An output without what depends on the order in which a file system lists files."""
        if words[0] == "fsck":
            output = "".join(sorted(output.splitlines(keepends=True)))
        return cut(output, self._output)

    def _error(self, done: Finished) -> str:
        text = _REDRAWN.sub("", done.stderr)
        if done.fate == "timeout":
            text += f"[killed after {self._timeout:g} s]\n"
        elif done.fate == "killed":
            text += f"[killed by {signal.Signals(done.status).name}]\n"
        elif done.fate == "nowhere":
            text = "Working directory does not exist.\n"
        return cut(text, self._output)

    def _instruction(self) -> str:
        return self._task.instruction if self._task else "Do as you like."

    def _observed(
        self, success: bool, message: str, output: str = "", error: str = ""
    ) -> GitObservation:
        return GitObservation(
            success=success,
            message=message,
            output=output,
            error=error,
            task_id=self._state.task_id,
            instruction=self._instruction(),
        )

    @property
    def state(self) -> GitState:
        """The task, and whether it is done."""
        return self._state.model_copy()

    def render(self) -> str | None:
        """The last step."""
        return self._last if self.render_mode == "ansi" else None

    def close(self) -> None:
        """End the sandboxes."""
        self._folder.close()
        self._server.close()
