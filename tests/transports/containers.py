"""Containers of tests: the probe that looks about inside of one, and what tells what is left."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym.transport import Link
from openenv_gym.wire.messages import Open
from openenv_gym_transports.containers import owner
from openenv_gym_transports.docker import DockerTransport

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

HERE = Path(__file__).parent
"""Where the package of the probe is."""

PROBE = "probe.environment:ProbeEnvironment"
REPORT, HANG, EXIT, EAT, FORK = range(5)
"""Its actions."""


def containers_of(engine: DockerClient, pid: int | None = None) -> list[Container]:
    """The containers of a process, by default of this one."""
    label = f"{owner.OWNED}={pid or os.getpid()}"
    return engine.containers.list(all=True, filters={"label": label}, ignore_removed=True)


def lost_volumes(engine: DockerClient) -> set[str]:
    """Volumes of no container."""
    return {volume.id for volume in engine.volumes.list(filters={"dangling": True})}


def open_link(environment: str = "echo", **options: Any) -> Link:
    """A link to an environment in a container."""
    return DockerTransport(**options).open(Open(environment, {}))
