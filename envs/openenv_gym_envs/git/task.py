"""A task: a starting repository, an instruction, and a check of what is on the server at the end.

Nothing of the agent's workspace is looked at: what counts is what it has pushed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from openenv_gym_envs.git.history import Files, History, blob
from openenv_gym_envs.git.repository_server import Repository

Marks = Mapping[int, str]


class Task(ABC):
    """A task, as it stands at the beginning of one episode.

    Args:
        random: Decides what differs from one episode to the next.

    Attributes:
        id: Its name.
        repository: The name of its repository.
        description: What that is.
        instruction: What is to be done.
        workspace: Commands that are run in the workspace before the agent comes; in the clone, but
            for the first, which makes it.
        history: The repository at the beginning.
        marks: Its commits' hashes, by their marks; known once it is on the server.
    """

    id: ClassVar[str]
    repository: ClassVar[str]
    description: ClassVar[str]
    instruction: str
    workspace: Sequence[str] = ()

    def __init__(self, random: np.random.Generator) -> None:
        self.history = History()
        self.marks: Marks = {}
        self.build(self.history, random)

    @abstractmethod
    def build(self, history: History, random: np.random.Generator) -> None:
        """Make the repository."""

    @abstractmethod
    def solved(self, repository: Repository) -> bool:
        """Whether it is done, by what is on the server."""

    def _has(self, repository: Repository, name: str, files: Files) -> bool:
        """A commit has these files, and no others."""
        wanted = {path: blob(content) for path, content in files.items()}
        return repository.blobs(name) == wanted

    def _untouched(self, repository: Repository, branch: str) -> bool:
        """A branch is where it was."""
        return repository.commit(f"refs/heads/{branch}") == self.marks[self.history.tips[branch]]
