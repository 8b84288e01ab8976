"""The Docker engine: how to reach it, and how its errors become ours."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import (
    DockerError,
    EngineMissingError,
    MissingDependencyError,
)

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["connect", "engine_errors", "explain"]

KNOCK_TIMEOUT = 5.0


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
        import docker.constants
        import docker.errors
    except ImportError as exc:
        raise MissingDependencyError(
            "The docker transport needs the package `docker`: "
            "pip install 'openenv-gym[docker]'",
            package="docker",
        ) from exc
    host = os.environ.get("DOCKER_HOST") or docker.constants.DEFAULT_UNIX_SOCKET
    try:
        _knock(host)
        return docker.from_env(timeout=timeout)
    except (docker.errors.DockerException, OSError, ValueError) as exc:
        raise EngineMissingError(
            f"No Docker engine answers at {host}: {exc}. "
            "Install and start one (`apt-get install docker.io && systemctl start "
            "docker`, or Docker Desktop), or set DOCKER_HOST to its address, until "
            '`docker version` works; or do without a container: transport="process"',
            docker_host=host,
        ) from exc


def _knock(host: str) -> None:
    # The client leaks its socket where nothing answers, so it does not try that first.
    scheme, _, path = host.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(KNOCK_TIMEOUT)
            connection.connect(path)


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


def explain(error: BaseException) -> str:
    """What the engine itself said, where it said something."""
    return str(getattr(error, "explanation", None) or error).strip().rstrip(".")
