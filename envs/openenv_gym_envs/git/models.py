"""Models of the Git environment; field names are those of OpenEnv, but for ``stdin``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from openenv_gym.models import Action, Info, Observation, State
from openenv_gym.spaces.utf8 import Utf8

MAX_COMMAND = 8192
"""Most characters of a command."""

MAX_STDIN = 65_536
"""Most characters of what a command reads."""

MAX_OUTPUT = 16_384
"""Most characters of each output of a command, unless option ``max_output`` says otherwise."""

_MAX_PATH = 255
_MAX_MESSAGE = 1024

Path = Annotated[str, Field(max_length=_MAX_PATH)]


def _empty(value: Any) -> Any:
    return "" if value is None else value


class GitAction(Action):
    """What to do.

    Attributes:
        action_type: ``"list_repos"``: the repositories of the server. ``"clone_repo"``: clone one
            into the workspace. ``"execute_git_command"``: run git there.
        repo_name: What to clone.
        target_dir: The folder that it goes to, which is replaced; empty: of the same name.
        command: The git command, with or without ``git`` before it.
        working_dir: Where to run it, relative to the workspace.
        stdin: What the command reads, such as a patch for ``apply``. OpenEnv has no such field.
    """

    action_type: Literal["list_repos", "clone_repo", "execute_git_command"] = "list_repos"
    repo_name: Path = ""
    target_dir: Annotated[Path, BeforeValidator(_empty)] = ""
    command: Annotated[str, Field(max_length=MAX_COMMAND)] = ""
    working_dir: Path = ""
    stdin: Annotated[str, Field(max_length=MAX_STDIN)] = ""


class GitObservation(Observation):
    """What came of it.

    Attributes:
        success: It was done; the command exited with 0.
        message: How it went, in words.
        output: Standard output of the command, or what was found; after a reset the instruction.
        error: Standard error of the command, or why it was refused.
        repos: After ``list_repos``: ``name``, ``full_name``, ``clone_url`` and ``description`` of
            each repository.
        task_id: The task.
        instruction: What is to be done.
    """

    success: bool = False
    message: Annotated[str, Utf8(_MAX_MESSAGE)] = ""
    output: Annotated[str, Utf8(MAX_OUTPUT)] = ""
    error: Annotated[str, Utf8(MAX_OUTPUT)] = ""
    repos: Annotated[list[dict[str, str]], Info()] = Field(default_factory=list)
    task_id: Annotated[str, Info()] = ""
    instruction: Annotated[str, Info()] = ""


class GitState(State):
    """The episode so far.

    Attributes:
        gitea_ready: The server answers.
        workspace_path: Where the repositories of the agent are.
        task_id: The task.
        solved: It is done.
    """

    gitea_ready: bool = False
    workspace_path: str = "/workspace"
    task_id: str = ""
    solved: bool = False
