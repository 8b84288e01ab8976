"""Building the image of an environment."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym import registry
from openenv_gym.errors import BuildError, OptionError
from openenv_gym.wire.progress_bar import Progress
from openenv_gym_transports.containers.engine import connect, explain
from openenv_gym_transports.containers.needs import needs_of
from openenv_gym_transports.images.contents import (
    image_name,
    requirements,
    version,
    write_context,
)
from openenv_gym_transports.images.own import find_inside, is_included
from openenv_gym_transports.images.wheelhouse import check, command

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["build_image", "remedy"]

# The Python that runs here: its messages are part of what Coding observes, and wheels are of one.
DEFAULT_BASE_IMAGE = f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"
LABEL = "org.openenv-gym"
ENVIRONMENT = f"{LABEL}.environment"
"""Label of each image that is built here: the environment's name."""

LOG_LINES = 20
STEP_WIDTH = 60
# Seconds without a word: a step is silent for as long as pip compiles a package.
SILENCE_LIMIT = 1800


def build_image(
    environment: str,
    *,
    base_image: str | None = None,
    wheelhouse: Path | None = None,
    tag: str | None = None,
    include: Sequence[Path] = (),
    serve: bool = False,
    progress: Progress | None = None,
    client: DockerClient | None = None,
) -> str:
    """Builds the image of an environment from what is installed here.

    Args:
        environment: Name of a bundled environment, ``"module:Class"``, ``"script.py:Class"``, or
            the path of a folder. The files of your own are added.
        base_image: What to build on: Linux with ``python3``, and with pip, unless that
            is in the wheelhouse. What else an environment of your own depends on must
            be in it, or in the ``pyproject.toml`` of its folder. By default
            ``OPENENV_GYM_BASE_IMAGE``, else ``python:X.Y-slim`` of the version that runs here.
        wheelhouse: Folder of wheels; the build then has no network at all. By default
            ``OPENENV_GYM_WHEELHOUSE``, else packages come from pip's index.
        tag: Name of the image; by default
            :func:`~openenv_gym_transports.images.contents.image_name`.
        include: Further files and package folders to be importable in the container.
        serve: Whether the image serves the network when it is run, on port 8000; the docker
            transport can run it all the same.
        progress: Called at each step.
        client: The engine; by default the one that answers.

    Returns:
        The image's name.

    Raises:
        RegistryError: There is no such environment.
        OptionError: The wheelhouse holds no wheels, or what to include is not there.
        EngineMissingError: No engine answers.
        BuildError: The build failed, and ``fields["log"]`` has its last lines; or the
            wheelhouse is not of the versions that are installed here; or a module of the
            environment is not found.
    """
    environment = registry.environment(environment).name
    base_image = base_image or os.environ.get("OPENENV_GYM_BASE_IMAGE")
    if wheelhouse is None and os.environ.get("OPENENV_GYM_WHEELHOUSE"):
        wheelhouse = Path(os.environ["OPENENV_GYM_WHEELHOUSE"])
    check_contents(environment, wheelhouse, include, serve=serve)
    current = image_name(environment, include, serve=serve)
    with tempfile.TemporaryDirectory(prefix="openenv-gym-build-") as folder:
        write_context(Path(folder), environment, wheelhouse, include, serve=serve)
        request: dict[str, Any] = {
            "path": folder,
            "tag": tag or current,
            "buildargs": {
                "BASE_IMAGE": base_image or DEFAULT_BASE_IMAGE,
                # Without a network the base image has them, or the options that need them fail.
                "PACKAGES": "" if wheelhouse else " ".join(needs_of(environment).packages),
            },
            "network_mode": "none" if wheelhouse else None,
            "labels": labels_of(environment, include, serve=serve),
        }
        if client is not None:
            _build(client, request, environment, progress or _silent)
        else:
            with closing(connect()) as own:
                _build(own, request, environment, progress or _silent)
    return tag or current


def labels_of(environment: str, include: Sequence[Path], *, serve: bool) -> dict[str, str]:
    """Return the labels of an image, which say what is in it; arguments as of build_image."""
    return {
        ENVIRONMENT: find_inside(environment).name,
        f"{LABEL}.version": version(),
        f"{LABEL}.content": image_name(environment, include, serve=serve).rpartition("-")[2],
    }


def check_contents(
    environment: str, wheelhouse: Path | None, include: Sequence[Path], *, serve: bool
) -> None:
    """Check that all is there that goes into an image; arguments as of build_image.

    Raises:
        OptionError: The wheelhouse holds no wheels, or what to include is not there.
        BuildError: A module of the environment is not found.
    """
    if wheelhouse is not None:
        check(wheelhouse, requirements(environment, serve=serve))
    for path in include:
        if not path.exists():
            raise OptionError(
                f"{path} was to be included in the image of {environment!r}, but there "
                "is not a file or folder. Give the path of a Python file or package",
                include=str(path),
            )
    for module in find_inside(environment).missing:
        if not is_included(module, include):
            raise BuildError(
                f"The image of {environment!r} would be without its module {module!r}, which is in "
                f"none of the {len(sys.path)} places of sys.path. {remedy(module, environment)}",
                environment=environment,
                module=module,
            )


def remedy(module: str, environment: str) -> str:
    """Return what to do where a module is not found that an environment is in."""
    if module == "__main__":
        return (
            "A class of a notebook, or of python -c, is in no file: put it into a module, and name "
            "it 'module:Class'."
        )
    return (
        f"Go to the folder that {module} is in, or put that folder on PYTHONPATH, or name the file "
        f"or package folder: openenv-gym build {environment} --include PATH"
    )


def _build(
    client: DockerClient, request: dict[str, Any], environment: str, progress: Progress
) -> None:
    import docker.errors
    import requests

    log: list[str] = []
    try:
        # The low level call, since the other gives the log only when all is over.
        for entry in client.api.build(
            **request, rm=True, forcerm=True, decode=True, timeout=SILENCE_LIMIT
        ):
            if "error" in entry:
                raise _build_error(environment, request, str(entry["error"]), log)
            for line in str(entry.get("stream", "")).splitlines():
                log.append(line)
                step = re.match(r"Step (\d+)/(\d+) : (.*)", line)
                if step:
                    text = " ".join(step[3].split())
                    progress(int(step[1]), int(step[2]), text[:STEP_WIDTH])
    except (docker.errors.DockerException, requests.RequestException) as exc:
        raise _build_error(environment, request, explain(exc), log) from exc


def _build_error(
    environment: str, request: dict[str, Any], reason: str, log: Sequence[str]
) -> BuildError:
    tail = [line for line in log if line.strip()][-LOG_LINES:]
    base_image = request["buildargs"]["BASE_IMAGE"]
    return BuildError(
        f"Building the image {request['tag']} of {environment!r} on {base_image} "
        f"failed: {reason.strip()}\n"
        + "".join(f"  | {line}\n" for line in tail)
        + "Where the base image cannot be had, name another Linux that has python3: "
        f"openenv-gym build {environment} --base-image IMAGE. Where packages cannot, "
        f"bring them: {command('DIR', ['pip', *requirements(environment)])}, then "
        f"openenv-gym build {environment} --wheelhouse DIR",
        environment=environment,
        image=request["tag"],
        base_image=base_image,
        log=tail,
    )


def _silent(step: int, steps: int, text: str) -> None:
    pass
