"""What runs on this machine for programs that use openenv-gym, and who owns it.

A container bears its owner's name in its labels, a process in a variable of its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from openenv_gym.errors import EngineMissingError, MissingDependencyError
from openenv_gym_transports.containers import engine, hardening, owner

_PROC = Path("/proc")
_POLL = 0.02


@dataclass(frozen=True)
class Running:
    """A process or container that serves an environment to its owner.

    Attributes:
        kind: ``"process"`` or ``"container"``.
        id: Number of the process, or short id of the container.
        serves: The environment, or the image.
        owner: Number of the process that it was started for.
        orphan: That process is gone.
    """

    kind: str
    id: str
    serves: str
    owner: int
    orphan: bool


def processes() -> list[Running]:
    """Return the processes of this user; none where the system has no ``/proc``."""
    found = []
    for path in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError):  # it has ended, or is another user's
            words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
            if "openenv_gym.cli" not in words or "--owned" not in words:
                continue
            variables = (path / "environ").read_bytes().decode(errors="replace").split("\0")
            name = f"{owner.VARIABLE}="
            for value in [v.removeprefix(name) for v in variables if v.startswith(name)]:
                pid, _, started = value.partition(" ")
                serves = words[words.index("serve") + 1]
                orphan = owner.started(int(pid)) != started
                found.append(Running("process", path.name, serves, int(pid), orphan))
    return sorted(found, key=lambda one: int(one.id))


def containers() -> list[Running]:
    """Return the containers of this machine; none where there is no engine.

    Raises:
        DockerError: The engine refused.
    """
    try:
        client = engine.connect()
    except (EngineMissingError, MissingDependencyError):
        return []
    with contextlib.closing(client), engine.engine_errors("list its containers"):
        listed = client.containers.list(sparse=True, filters={"label": owner.OWNED})
        return [
            Running(
                "container",
                str(each.short_id),
                str(each.attrs.get("Image", "")),
                int(each.attrs["Labels"][owner.OWNED]),
                owner.is_orphan(each.attrs["Labels"], running=True),
            )
            for each in listed
        ]


def remove_orphans(limit: float) -> list[Running]:
    """End the processes and remove the containers and folders whose owner is gone.

    Args:
        limit: Seconds that a process is given to end by itself.

    Returns:
        What was ended.

    Raises:
        DockerError: The engine refused.
    """
    ended = [one for one in processes() if one.orphan]
    _signal(ended, signal.SIGTERM)
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline and not set(ended).isdisjoint(processes()):
        time.sleep(_POLL)
    _signal(ended, signal.SIGKILL)
    orphans = [one for one in containers() if one.orphan]
    if orphans:
        client = engine.connect()
        with contextlib.closing(client):
            owner.remove_orphans(client)
    owner.remove_folders(hardening.folders())
    return ended + orphans


def _signal(seen: list[Running], signum: signal.Signals) -> None:
    """Signal the processes that still are those that were seen; SIGKILL goes to their group."""
    for pid in [int(one.id) for one in processes() if one in seen]:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if signum == signal.SIGKILL and os.getpgid(pid) == pid:
                os.killpg(pid, signum)
            else:
                os.kill(pid, signum)
