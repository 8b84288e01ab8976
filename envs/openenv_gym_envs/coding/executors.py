"""Executors: what runs the code of an episode."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple


class Outcome(NamedTuple):
    """What came of the code of one step.

    Attributes:
        stdout: Its standard output.
        stderr: Its standard error, with what went wrong.
        exit_code: As a process of its own would have it.
        syntax_error: It is not valid Python.
    """

    stdout: str
    stderr: str
    exit_code: int
    syntax_error: bool = False


class Executor(ABC):
    """Runs code in a namespace that lasts for the episode."""

    @abstractmethod
    def begin(self, seed: int) -> None:
        """Begin an episode: an empty namespace, with ``random`` seeded."""

    @abstractmethod
    def run(self, code: str) -> Outcome:
        """Run the code of one step."""

    @abstractmethod
    def close(self) -> None:
        """End what it started."""


def together(printed: str, value: str | None) -> str:
    """Standard output, as OpenEnv puts it together of what was printed and the last value."""
    return "\n".join(part for part in (printed, value) if part)
