"""What a container is allowed, as it is asked of the engine and as the engine reports it."""

from __future__ import annotations

import contextlib
import io
import os
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openenv_gym.wire.private_folder import SOCKET
from openenv_gym_transports.containers import mounts, owner
from openenv_gym_transports.containers.needs import Needs

__all__ = [
    "SERVED",
    "SHARED",
    "Limits",
    "archive",
    "folders",
    "isolation",
    "listening",
    "private_folder",
    "removed_with_us",
    "serving_settings",
    "settings",
    "shared_folder",
]

SHARED = "/run/openenv-gym"
"""Where the container finds the socket that it connects to; or its key, where it has a port."""

PORT = 7777
SERVED = 8000
"""Where an image that serves by itself listens, as OpenEnv's own do."""

TMPFS = {"/tmp": "64m"}
VARIABLES = {
    "HOME": "/tmp",  # all that can be written
    # numpy's BLAS starts a thread for each CPU that it sees, which spin while they have no work.
    # They would use up the container's share of CPU time, and the kernel stops it for the rest of
    # each tenth of a second: 70 ms of a start. Now they sleep at once; there are as many as ever.
    "OPENBLAS_THREAD_TIMEOUT": "4",
}
# Nobody: root here must not be root in there.
NOBODY = 65534
# A path of a Unix socket has at most 107 bytes: the rest is for the names of folder and socket.
LONGEST_PARENT = 48


@dataclass(frozen=True)
class Limits:
    """Limits of a container.

    Attributes:
        memory: Of its memory and swap together, such as ``"1g"``.
        cpus: Of its CPU time, in CPUs.
        pids: Of its processes and threads.
    """

    memory: str
    cpus: float
    pids: int


def hardened(limits: Limits, needs: Needs, files: Mapping[str, str]) -> dict[str, Any]:
    """Keywords of docker's ``containers.create`` that all containers have."""
    from docker.types import LogConfig

    asked: dict[str, Any] = {
        "environment": {**VARIABLES},
        "labels": owner.labels(),
        "user": f"{NOBODY}:{NOBODY}",
        "read_only": True,
        "tmpfs": {
            path: f"rw,noexec,nosuid,nodev,size={size}"
            for path, size in {**TMPFS, **needs.tmpfs}.items()
        },
        "shm_size": needs.shm_size,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": limits.pids,
        "mem_limit": limits.memory,
        "memswap_limit": limits.memory,
        "nano_cpus": int(limits.cpus * 1e9),
        "init": True,  # reaps what the environment leaves behind
        "log_config": LogConfig(
            type=LogConfig.types.JSON, config={"max-size": "1m", "max-file": "1"}
        ),
        "network_mode": needs.network,
        "mounts": mounts.binds(files),
    }
    if needs.seccomp == "unconfined":
        asked["security_opt"].append("seccomp=unconfined")
    return asked


def settings(
    environment: str,
    limits: Limits,
    needs: Needs,
    folder: Path | None,
    files: Mapping[str, str],
) -> dict[str, Any]:
    """Keywords of docker's ``containers.create`` for an image of ours.

    Args:
        environment: Name of the environment to serve.
        limits: Its limits.
        needs: What else the environment asks for.
        folder: The folder to share, which holds our socket; None for a port instead.
        files: What of the user's it may read: paths on this host by those in the container.
    """
    from docker.types import Mount

    command = ["serve", environment, "--owned"]
    asked = hardened(limits, needs, files)
    asked["entrypoint"] = ["python3", "-m", "openenv_gym.cli"]
    if folder is not None:
        command += ["--connect", f"{SHARED}/{SOCKET}"]
        if os.geteuid() != 0:
            # Who can read the files that its owner mounts.
            asked["user"] = f"{os.getuid()}:{os.getgid()}"
        # The folder is on this host's disk, so the container may not write in it.
        asked["volumes"] = {str(folder): {"bind": SHARED, "mode": "ro"}}
    else:
        command += ["--pipe", SHARED, "--host", "0.0.0.0", "--port", str(PORT)]
        asked |= _publishing(PORT)
        # No folder of this host may be there for the engine. What is not read-only can be
        # written before the start; it is removed with the container.
        asked["mounts"].append(Mount(SHARED, None, type="volume"))
    return {**asked, "command": command}


def serving_settings(
    limits: Limits, needs: Needs, variables: Mapping[str, str], files: Mapping[str, str]
) -> dict[str, Any]:
    """Keywords of docker's ``containers.create`` for an image that serves by itself.

    Args:
        limits: Its limits.
        needs: What else the environment asks for.
        variables: Environment variables of the image's own.
        files: What of the user's it may read: paths on this host by those in the container.
    """
    asked = hardened(limits, needs, files)
    asked["environment"] |= variables
    return {**asked, **_publishing(SERVED)}


def _publishing(port: int) -> dict[str, Any]:
    """Keywords that publish a port on this host alone; the engine chooses it on our side."""
    # It takes a network.
    return {"network_mode": "bridge", "ports": {f"{port}/tcp": ("127.0.0.1",)}}


def isolation(attributes: Mapping[str, Any], needs: Needs) -> dict[str, Any]:
    """What is between the environment and this host.

    Args:
        attributes: What the engine says of the running container.
        needs: What was relaxed because the environment asks for it.
    """
    host = attributes["HostConfig"]
    config = attributes["Config"]
    options = host["SecurityOpt"] or []
    files = mounts.user_mounts(attributes)
    return {
        "boundary": "container",
        "container": attributes["Id"],
        "image": config["Image"],
        "image_id": attributes["Image"],
        "runtime": host.get("Runtime"),
        "network": host["NetworkMode"],
        "port": _published(attributes),
        "user": config["User"],
        "privileged": host["Privileged"],
        "read_only": host["ReadonlyRootfs"],
        "cap_add": host["CapAdd"] or [],
        "cap_drop": _dropped(attributes),
        "no_new_privileges": any(o in _NO_NEW_PRIVILEGES for o in options),
        "security_opt": options,
        "pids": host["PidsLimit"],
        "memory": host["Memory"],
        "memory_and_swap": host["MemorySwap"],
        "cpus": host["NanoCpus"] / 1e9,
        "init": host["Init"],
        "tmpfs": host["Tmpfs"] or {},
        "shm_size": host["ShmSize"],
        "mounts": [
            {
                "type": mount["Type"],
                "source": mount["Source"],
                "target": mount["Destination"],
                "writable": mount["RW"],
            }
            for mount in attributes["Mounts"]
        ],
        "relaxed": {**needs.relaxations(), **({"mounts": files} if files else {})},
    }


_NO_NEW_PRIVILEGES = ("no-new-privileges", "no-new-privileges:true")


def _dropped(attributes: Mapping[str, Any]) -> list[str]:
    """Return the capabilities that a container has not; ALL where it has none.

    Podman lists those that its containers have by default, so its first process is looked at.
    """
    process = Path(f"/proc/{attributes['State']['Pid']}")
    with contextlib.suppress(OSError):
        # An engine on another machine has processes of its own.
        ours = attributes["Id"] in (process / "cgroup").read_text()
        if ours and "CapBnd:\t0000000000000000\n" in (process / "status").read_text():
            return ["ALL"]
    return attributes["HostConfig"]["CapDrop"] or []


def _published(attributes: Mapping[str, Any]) -> int | None:
    ports = attributes["NetworkSettings"]["Ports"] or {}
    bound = [bindings[0]["HostPort"] for bindings in ports.values() if bindings]
    return int(bound[0]) if bound else None


def folders() -> Path:
    """Where private folders are made."""
    parent = tempfile.gettempdir()
    # mkdtemp makes them private wherever it is.
    return Path(parent if len(os.fsencode(parent)) <= LONGEST_PARENT else "/tmp")


def private_folder() -> Path:
    """Make a folder that nobody else on this host can enter, for :func:`listening`."""
    return Path(tempfile.mkdtemp(prefix=owner.folder_prefix(), dir=folders()))


@contextlib.contextmanager
def removed_with_us(folder: Path) -> Iterator[None]:
    """Remove a folder at the end of the block, also when this process is killed before that."""
    command = ["/bin/sh", "-c", 'read -r _; rm -rf -- "$0"', str(folder)]
    # It reads a line, or until nobody holds the other end. In a session of its own, for Ctrl-C.
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as remover:
        try:
            yield
        finally:
            remover.communicate(b"\n")  # a fork of this process may hold the other end too


def shared_folder(private: Path) -> Path:
    """Return the folder in a private one that a container sees."""
    return private / "s"  # as short as can be: see LONGEST_PARENT


@contextlib.contextmanager
def listening(private: Path) -> Iterator[socket.socket]:
    """Listen for one connection in the shared folder of a private one, which is empty afterwards.

    The user of the container may connect to it, and nobody else can reach it.
    """
    shared = shared_folder(private)
    shared.mkdir()
    shared.chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(shared / SOCKET))
        (shared / SOCKET).chmod(0o666)
        listener.listen(1)
        yield listener
    (shared / SOCKET).unlink()


def archive(key: bytes) -> bytes:
    """The key as a tar archive, for a container that shares no folder."""
    info = tarfile.TarInfo("key")
    info.size = len(key)
    info.mode = 0o600
    info.uid = info.gid = NOBODY
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(info, io.BytesIO(key))
    return data.getvalue()
