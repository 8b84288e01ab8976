"""Tasks of an environment: what a provider of tasks, as OpenEnv has it, is asked, and answers.

A provider has some of five methods: ``list_splits``, ``list_tasks``, ``num_tasks``, ``get_task``
and ``get_task_range``. ``reset(split=..., index=...)`` begins a task.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from openenv_gym.environment import Environment
from openenv_gym.errors import EnvironmentFailedError, OptionError

METHODS = frozenset({"list_splits", "list_tasks", "num_tasks", "get_task", "get_task_range"})

_TYPES = ("train", "validation", "test")


class OwnTasks:
    """Tasks of an environment of ours, as a provider.

    Args:
        environment: The environment.
    """

    def __init__(self, environment: Environment[Any, Any, Any]) -> None:
        self._tasks = environment.tasks()

    def list_splits(self) -> list[str]:
        """Return the names of the splits."""
        return list(self._tasks)

    def list_tasks(self, split: str) -> Sequence[Any]:
        """Return all tasks of a split."""
        return self._split(split)

    def num_tasks(self, split: str) -> int:
        """Return how many tasks a split has."""
        return len(self._split(split))

    def get_task(self, split: str, index: int) -> Any:
        """Return one task."""
        tasks = self._split(split)
        if index < 0:
            raise IndexError(index)
        return tasks[index]

    def get_task_range(
        self, split: str, start: int | None = None, stop: int | None = None
    ) -> Sequence[Any]:
        """Return the tasks of a slice."""
        return self._split(split)[start:stop]

    def _split(self, name: str) -> Sequence[Any]:
        if name not in self._tasks:
            raise OptionError(
                f"There is no split {name!r} of tasks: there are {', '.join(self._tasks)}.",
                split=name,
                known=[*self._tasks],
            )
        return self._tasks[name]


def ask(
    provider: Any, subject: str, arguments: Mapping[str, Any], wait: Callable[[Any], Any]
) -> Any:
    """Return what a provider answers, as JSON.

    Args:
        provider: Has the methods; some may be asynchronous.
        subject: Which is called.
        arguments: Its keywords.
        wait: Returns what an awaitable gives, and any other value as it is.

    Raises:
        OptionError: It does not have the method (see :func:`unsupported`), or no such task.
    """
    method = getattr(provider, subject, None)
    if not callable(method):
        raise unsupported(subject)
    try:
        value = wait(method(**arguments))
    except NotImplementedError as error:
        raise unsupported(subject) from error
    except IndexError as error:
        raise OptionError("Invalid task index", **arguments) from error
    if subject == "list_splits":
        value = [_split(split) for split in value]
    try:
        return json.loads(to_json(value, fallback=_plain, inf_nan_mode="null"))
    except ValueError as error:
        raise EnvironmentFailedError(f"Its tasks cannot be written as JSON: {error}") from error


def unsupported(subject: str) -> OptionError:
    """Return the error for an environment that does not have what it is asked for."""
    return OptionError(f"{subject} is not supported for this environment", unsupported=subject)


def _split(split: Any) -> Any:
    """Return a split as OpenEnv's server describes it: name and type."""
    if isinstance(split, str):
        return {"name": split, "type": split if split in _TYPES else "validation"}
    return split.model_dump() if hasattr(split, "model_dump") else split


def _plain(value: Any) -> Any:
    return vars(value) if hasattr(value, "__dict__") else str(value)
