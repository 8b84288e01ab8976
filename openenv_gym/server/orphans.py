"""What an environment started must not outlive its owner, who may have been killed.

An owner that lives ends the group of its server. That cannot be relied on, or be asked for: the
connection of one that was killed ends before the process does.
"""

from __future__ import annotations

import atexit
import os
import signal

_owner_left = False


def end_group_at_exit() -> None:
    """Has :func:`end_group` called at the end of this process, last of all."""
    atexit.register(end_group)


def owner_left() -> None:
    """Notes that the owner of this server is gone, or has closed it."""
    global _owner_left
    _owner_left = True


def end_group() -> None:
    """Ends the group of this process, and it as well, if its owner left.

    Before that the owner wants to know how this process ended.
    """
    if _owner_left and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
