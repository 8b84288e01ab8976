"""A bar on stderr for what takes long: building, pulling, starting many."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Progress = Callable[[int, int, str], None]
"""Called with how many parts are done, how many there are, and a text."""


def print_line(step: int, steps: int, text: str) -> None:
    """Print a line for a part, where there is no bar."""
    print(f"{step}/{steps} {text}", file=sys.stderr, flush=True)


def silent(step: int, steps: int, text: str) -> None:
    """Print nothing."""


@contextmanager
def progress_bar(first: str, otherwise: Progress = print_line) -> Iterator[Progress]:
    """Show a bar while the block runs; it is gone afterwards.

    Args:
        first: Its first text.
        otherwise: What is called where stderr is not a terminal, or rich is not installed.
    """
    bar = None
    if sys.stderr.isatty():
        with contextlib.suppress(ImportError):
            bar = _bar()
    if bar is None:
        yield otherwise
        return
    with bar:
        task = bar.add_task(first, total=1)
        yield lambda step, steps, text: bar.update(
            task, completed=step, total=steps, description=text
        )


def _bar() -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.completed:.0f}/{task.total:.0f}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}", markup=False),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)
