"""The Docker engine: how to reach it, and how its errors become ours."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from openenv_gym.errors import (
    DockerError,
    EngineMissingError,
    missing_package,
)

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = [
    "check_files",
    "check_loopback",
    "connect",
    "end_stream",
    "engine_errors",
    "explain",
    "shares_sockets",
]

DEFAULT_HOST = "npipe:////./pipe/docker_engine"
if sys.platform != "win32":
    DEFAULT_HOST = "unix:///var/run/docker.sock"
# Where an engine without root listens.
ROOTLESS = "/run/user/"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
KNOCK_TIMEOUT = 5.0
_SELINUX = Path("/sys/fs/selinux/enforce")


def connect(timeout: int = 60) -> DockerClient:
    """A client of the engine that ``DOCKER_HOST`` names, or of the one on this machine.

    Args:
        timeout: Seconds that a single request may take.

    Raises:
        MissingDependencyError: The ``docker`` package is not installed.
        EngineMissingError: No engine answers.
    """
    try:
        import docker
        import docker.errors
    except ImportError as exc:
        raise missing_package("The transport docker", "docker", "docker") from exc
    host = _host()
    try:
        return docker.from_env(timeout=timeout, version=_knock(host))
    except (docker.errors.DockerException, HTTPException, OSError, ValueError) as exc:
        raise EngineMissingError(
            f"No Docker engine answers at {host}: {exc}. "
            "Install and start one (`apt-get install docker.io && systemctl start "
            "docker`, or Docker Desktop), or set DOCKER_HOST to its address, until "
            '`docker version` works; or do without a container: transport="process"',
            docker_host=host,
        ) from exc


def _host() -> str:
    return os.environ.get("DOCKER_HOST") or DEFAULT_HOST


def _knock(host: str) -> str | None:
    """The version of its API that an engine at a Unix socket speaks; None for other addresses.

    The client leaks its socket where nothing answers, so it does not try that first; and it would
    ask for all that the engine is made of, which takes that ten times as long.
    """
    scheme, _, path = host.partition("://")
    if scheme not in ("unix", "http+unix"):
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(KNOCK_TIMEOUT)
        connection.connect(path)
        connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
        with HTTPResponse(connection) as response:
            response.begin()
            return response.getheader("Api-Version")


def shares_sockets(client: DockerClient) -> bool:
    """Whether a container can connect to a Unix socket of this process in a shared folder.

    It cannot where the engine is on another machine, or in a virtual one as Docker Desktop's,
    nor where users in the container are not those of this machine, as in rootless engines, nor
    where SELinux keeps containers from the sockets of other processes.
    """
    host = _host()
    if sys.platform != "linux" or not host.startswith(("unix://", "http+unix://")):
        return False
    if "://" + ROOTLESS in host:
        return False
    with engine_errors("report its version"):
        platform = client.version().get("Platform") or {}
        if _SELINUX.exists() and "name=selinux" in (client.info().get("SecurityOptions") or ()):
            return False
    return "Desktop" not in str(platform.get("Name"))


def check_loopback() -> None:
    """Checks that a port published on the engine's loopback can be reached from here.

    Raises:
        DockerError: The engine is on another machine.
    """
    host = _host()
    parts = urlsplit(host)
    if parts.scheme in ("tcp", "http", "https", "ssh") and parts.hostname not in LOOPBACK:
        raise DockerError(
            f"The Docker engine at {host} is on another machine, where containers cannot be "
            "reached without opening a port to the network. Serve the environment there "
            "(openenv-gym serve ... --host ADDRESS --token TOKEN) and connect to it: "
            'transport="websocket", url="ws://..."',
            docker_host=host,
        )


def check_files() -> None:
    """Checks that the engine sees the files of this host.

    Raises:
        DockerError: It may be on another machine: a port of this one may lead anywhere.
    """
    host = _host()
    if urlsplit(host).scheme not in ("unix", "http+unix", "npipe"):
        raise DockerError(
            f"The Docker engine at {host} may be on another machine, which has no files of this "
            "host to mount. Leave mounts= out, and build an image that has them (image=), or use "
            "an engine of this machine (DOCKER_HOST=unix://...)",
            docker_host=host,
        )


@contextmanager
def engine_errors(asked: str, **fields: Any) -> Iterator[None]:
    """Raises what the engine refuses as a :class:`DockerError`.

    Args:
        asked: What was asked of the engine, to follow "could not".
        **fields: The error's fields.
    """
    import docker.errors
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException) as exc:
        raise DockerError(
            f"The Docker engine could not {asked}: {explain(exc)}. "
            "See `docker info`, and the engine's own log",
            **fields,
        ) from exc


def end_stream(stream: Any) -> None:
    """Closes a stream of the client's; its own ``close()`` leaves the socket to the collector."""
    with suppress(OSError):
        stream._response.close()


def explain(error: BaseException) -> str:
    """What the engine itself said, where it said something."""
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")
