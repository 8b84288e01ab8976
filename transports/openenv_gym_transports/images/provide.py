"""Getting an image that is not there: by building it, or by pulling it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from openenv_gym.errors import BuildError, ImageMissingError
from openenv_gym.wire.progress_bar import Progress, progress_bar, silent
from openenv_gym_transports.containers.engine import engine_errors, explain
from openenv_gym_transports.images.build import build_image, remedy
from openenv_gym_transports.images.contents import image_name
from openenv_gym_transports.images.own import find_inside

if TYPE_CHECKING:
    from docker import DockerClient

__all__ = ["labels", "provide", "pull_layers"]

_PULLED = frozenset({"Pull complete", "Already exists"})


def provide(client: DockerClient, environment: str, *, build: bool = True) -> str:
    """The image of an environment, with the code that is installed here; built, if needed.

    Processes that ask at the same time wait for one build.

    Args:
        client: The engine.
        environment: Name of the environment.
        build: Whether it may be built.

    Returns:
        The image's name.

    Raises:
        ImageMissingError: It is not there, and may not or cannot be built.
    """
    name = image_name(environment)
    missing = find_inside(environment).missing
    with _one_at_a_time():
        if client.images.list(name):
            return name
        if missing or not build:
            raise _missing(environment, name, missing)
        _tell(
            f"building the image {name}, once for this version; "
            f"`openenv-gym build {environment}` does it beforehand"
        )
        try:
            return build_image(environment, client=client)
        except BuildError as exc:
            raise ImageMissingError(
                f"There is no image {name} for {environment!r}, and it cannot be built. {exc}",
                **exc.fields,
            ) from exc


def _missing(environment: str, name: str, modules: Sequence[str]) -> ImageMissingError:
    if modules:
        problem = (
            f" and it cannot be built: its module {modules[0]!r} is not found here. "
            f"{remedy(modules[0], environment)} --tag NAME, and give the transport option "
            "image=NAME"
        )
    else:
        problem = (
            f". Build it: openenv-gym build {environment} [--base-image IMAGE] [--wheelhouse DIR]"
        )
    return ImageMissingError(
        f"There is no image {name} for the environment {environment!r}{problem}",
        environment=environment,
        image=name,
    )


def _pull(client: DockerClient, image: str) -> None:
    """Pulls an image that the user named.

    Raises:
        ImageMissingError: It cannot be had.
    """
    import docker.errors
    import requests

    _tell(f"pulling the image {image}")
    try:
        with progress_bar(f"pulling {image}", silent) as progress:
            pull_layers(client, image, progress)
    except (docker.errors.DockerException, requests.RequestException) as exc:
        raise ImageMissingError(
            f"There is no image {image} here, and it cannot be pulled: {explain(exc)}. Is the name "
            f"right (`docker images`)? Without image= that of the environment is taken; "
            "`openenv-gym build` makes one of your own",
            image=image,
        ) from exc


def pull_layers(client: DockerClient, image: str, progress: Progress) -> None:
    """Pull an image, and report each layer that is there."""
    from docker.errors import APIError
    from docker.utils import parse_repository_tag

    repository, tag = parse_repository_tag(image)
    layers: dict[str, bool] = {}
    for entry in client.api.pull(repository, tag=tag or "latest", stream=True, decode=True):
        if "error" in entry:
            raise APIError(str(entry["error"]))
        layer, status = entry.get("id"), entry.get("status", "")
        if layer is not None and not status.startswith("Pulling from"):
            layers[layer] = status in _PULLED
            progress(sum(layers.values()), len(layers), f"{layer}: {status}")


def labels(client: DockerClient, image: str) -> dict[str, str]:
    """Labels of an image that the user named; it is pulled if it is not there.

    Raises:
        ImageMissingError: It cannot be had.
        DockerError: The engine refused.
    """
    import docker.errors

    with engine_errors(f"look at the image {image}", image=image):
        try:
            found = client.images.get(image)
        except docker.errors.ImageNotFound:
            _pull(client, image)
            found = client.images.get(image)
    reported: dict[str, str] = found.labels
    return reported


def _tell(text: str) -> None:
    print(f"openenv-gym: {text}", file=sys.stderr, flush=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Holds a lock of this user on this host, where there are such locks."""
    home = os.environ.get("XDG_CACHE_HOME")
    folder = (Path(home) if home else Path.home() / ".cache") / "openenv-gym"
    try:
        import fcntl

        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "build.lock").open("w")
    except (ImportError, OSError):
        # Without it, at worst the same image is built twice.
        yield
        return
    with lock:
        # Let go of by the system when its holder dies, and a build has limits.
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
