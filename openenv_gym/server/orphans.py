"""What an environment started, where its owner was killed: nobody else is left to end it."""

from __future__ import annotations

import atexit
import os
import signal

_owner: int | None = None


def end_orphans_at_exit() -> None:
    """Has :func:`end_orphans` called at the end of this process, whose owner is its parent."""
    global _owner
    _owner = os.getppid()
    atexit.register(end_orphans)


def end_orphans() -> None:
    """Ends the group of this process, and it as well, if its owner is gone.

    An owner that lives ends the group itself, and wants to know how this process ended.
    """
    if _owner not in (None, os.getppid()) and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
