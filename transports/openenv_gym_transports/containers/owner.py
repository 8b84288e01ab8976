"""Who owns a container, by its labels, so that those of dead owners are found.

A killed owner's container ends by itself, and the engine removes it; its private folder stays, and
bears its owner's name. Both are looked for whenever a container is started.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import zlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = [
    "OWNED",
    "VARIABLE",
    "folder_prefix",
    "is_orphan",
    "labels",
    "named",
    "remove_folders",
    "remove_orphans",
    "started",
]

FOLDER = "openenv-gym"
PREFIX = "org.openenv-gym.owner"
OWNED = f"{PREFIX}.pid"
"""The label that every container of ours has: the process id of its owner."""
VARIABLE = "OPENENV_GYM_OWNER"
"""The variable that every process of ours has: the process id of its owner, and its start."""


def labels() -> dict[str, str]:
    """Labels that name this process as the owner."""
    return {
        OWNED: str(os.getpid()),
        f"{PREFIX}.started": started(os.getpid()),
        f"{PREFIX}.host": _host(),
        f"{PREFIX}.boot": _boot(),
    }


def named() -> str:
    """Return the value of :data:`VARIABLE` that names this process as the owner."""
    return f"{os.getpid()} {started(os.getpid())}"


def folder_prefix() -> str:
    """How the name of a folder of this process begins."""
    return f"{FOLDER}-{os.getpid()}-{started(os.getpid())}-{_place()}-"


def remove_folders(parent: Path) -> None:
    """Removes folders whose owner is dead; only those of this user and of this boot."""
    for path in parent.glob(f"{FOLDER}-*-*-{_place()}-*"):
        pid, began = path.name.removeprefix(f"{FOLDER}-").split("-")[:2]
        with contextlib.suppress(OSError, ValueError):
            # That of a container of root belongs to nobody, and root may remove it.
            mine = path.lstat().st_uid == os.geteuid() or os.geteuid() == 0
            if mine and started(int(pid)) != began:
                shutil.rmtree(path)


def remove_orphans(client: DockerClient) -> list[str]:
    """Removes containers whose owner is dead; only those of which that is certain.

    Returns:
        Ids of the containers that were removed.

    Raises:
        DockerError: The engine refused.
    """
    import docker.errors

    # Here, since who starts a process only wants to know its own name.
    from openenv_gym_transports.containers.engine import engine_errors

    removed = []
    # Sparse: one request for all, whatever their number.
    with engine_errors("list its containers"):
        found = client.containers.list(all=True, sparse=True, filters={"label": OWNED})
    for container in found:
        running = container.attrs.get("State") == "running"
        if is_orphan(container.attrs.get("Labels") or {}, running):
            try:
                container.remove(force=True, v=True)
            except docker.errors.APIError:
                continue  # another process is removing it, or did
            removed.append(str(container.id))
    return removed


def is_orphan(found: Mapping[str, str], running: bool) -> bool:
    """Return whether the owner that a container's labels name is certainly gone."""
    if found.get(f"{PREFIX}.host") != _host():
        return False  # that process cannot be seen from here
    if found.get(f"{PREFIX}.boot") != _boot():
        # Of a crashed host, unless two machines have one id: then it may be running.
        return not running
    pid = found.get(OWNED, "")
    return not pid.isdecimal() or started(int(pid)) != found.get(f"{PREFIX}.started")


def started(pid: int) -> str:
    """Return when a process started, since its number is used again; "" if it is dead."""
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
def _place() -> str:
    return f"{zlib.crc32(f'{_host()} {_boot()}'.encode()):08x}"


@cache
def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
