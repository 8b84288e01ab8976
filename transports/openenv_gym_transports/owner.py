"""Whose a container is, told by labels, so that those of dead owners are found."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["OWNED", "labels", "remove_orphans"]

PREFIX = "org.openenv-gym.owner"
OWNED = f"{PREFIX}.pid"
"""The label that every container of ours has: the process id of its owner."""


def labels() -> dict[str, str]:
    """Labels that name this process as the owner."""
    return {
        OWNED: str(os.getpid()),
        f"{PREFIX}.started": _started(os.getpid()),
        f"{PREFIX}.host": _host(),
        f"{PREFIX}.boot": _boot(),
    }


def remove_orphans(client: DockerClient) -> list[str]:
    """Removes containers whose owner is dead; only those of which that is certain.

    Returns:
        Ids of the containers that were removed.
    """
    import docker.errors

    removed = []
    # Sparse: one request for all, whatever their number.
    for container in client.containers.list(all=True, sparse=True, filters={"label": OWNED}):
        running = container.attrs.get("State") == "running"
        if _is_orphan(container.attrs.get("Labels") or {}, running):
            try:
                container.remove(force=True, v=True)
            except docker.errors.APIError:
                continue  # another process is removing it, or did
            removed.append(str(container.id))
    return removed


def _is_orphan(found: Mapping[str, str], running: bool) -> bool:
    if found.get(f"{PREFIX}.host") != _host():
        return False  # that process cannot be seen from here
    if found.get(f"{PREFIX}.boot") != _boot():
        # Of a crashed host, unless two machines have one id: then it may be running.
        return not running
    pid = found.get(OWNED, "")
    return not pid.isdecimal() or _started(int(pid)) != found.get(f"{PREFIX}.started")


def _started(pid: int) -> str:
    """When a process started, since ids of processes are used again; "" if it is dead."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "" if Path("/proc/self/stat").exists() else _alive(pid)
    # Its own name, in parentheses, may hold anything, parentheses and spaces too.
    fields = stat.rpartition(")")[2].split()
    state, started = fields[0], fields[19]
    return "" if state in "ZX" else started


def _alive(pid: int) -> str:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "alive"


@cache
def _host() -> str:
    """This machine, and on Linux the process namespace that ids of processes belong to."""
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
