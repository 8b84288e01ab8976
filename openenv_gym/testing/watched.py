"""Checks of an environment in a process of its own, which is ended where it hangs."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from openenv_gym.testing.checks import Finding, Findings, check_environment

LIMIT = 30.0
"""Seconds that one call of the environment may take."""

_END_LIMIT = 10.0  # seconds
_FOREVER = 1e6  # what a system call can take


def check_watched(
    name: str,
    options: Mapping[str, Any],
    *,
    limit: float = LIMIT,
    show: Callable[[Finding], None] | None = None,
) -> Findings:
    """Check an environment as :func:`check_environment` does, in a process of its own.

    Args:
        name: Name, id, ``module:Class`` or folder.
        options: Options of the environment.
        limit: Seconds that one call of the environment may take: making it, a reset, a step.
        show: Is called with each finding, as soon as there is one.
    """
    found = Findings()
    check = "it is found"
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(theirs, name, dict(options)))
    process.start()
    theirs.close()
    end_limit = 0.0
    with ours:
        try:
            while ours.poll(min(limit, _FOREVER)):
                event = ours.recv()
                if event is None:
                    end_limit = _END_LIMIT
                    return found
                if isinstance(event, Finding):
                    found.add(event)
                    if show is not None:
                        show(event)
                elif isinstance(event, str):
                    check = event
            problem = f"A call did not end within {limit:g} s; its process was ended."
        except EOFError:
            process.join(_END_LIMIT)
            problem = f"Its process {_fate(process.exitcode)} in the middle of a call."
        finally:
            process.join(end_limit)
            process.kill()
            process.join()
            process.close()
    found.add(Finding(check, "failed", problem))
    if show is not None:
        show(found.all[-1])
    return found


def _check(connection: Connection, name: str, options: dict[str, Any]) -> None:
    """Check, and send what happens; see :class:`~openenv_gym.testing.checks.Findings`.

    None is sent at the end.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's: the other process ends this one
    os.dup2(2, 1)  # what the environment prints is not part of the report
    with suppress(BrokenPipeError):
        check_environment(name, options, connection.send)
        connection.send(None)


def _fate(code: int | None) -> str:
    if code is not None and code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"exited with {code}"
