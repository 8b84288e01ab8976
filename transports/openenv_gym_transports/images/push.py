"""Pushing an image to a registry, from which other machines pull it by its name."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from docker import DockerClient
from docker.errors import DockerException, ImageNotFound
from docker.utils import parse_repository_tag
from requests import RequestException

from openenv_gym import registry
from openenv_gym.errors import DockerError, ImageMissingError
from openenv_gym.wire.progress_bar import Progress
from openenv_gym_transports.containers.engine import connect, explain

_DONE = frozenset({"Pushed", "Layer already exists"})
_SILENCE_LIMIT = 600  # seconds: a registry may be slow with a large layer


def push_image(
    image: str, name: str, *, progress: Progress | None = None, client: DockerClient | None = None
) -> str:
    """Pushes an image.

    Who may push is known to the engine's client by ``docker login``.

    Args:
        image: Name of an image that is here.
        name: What it is called there: ``registry.example.com/team/maze:1.0``. Without a tag it is
            ``latest``, without a registry Docker Hub's.
        progress: Called for each layer that is there.
        client: The engine; by default the one that answers.

    Returns:
        The name with the digest, which names this very image for ever.

    Raises:
        ImageMissingError: There is no such image here.
        DockerError: It cannot be pushed there; the error says why.
        EngineMissingError: No engine answers.
    """
    if client is None:
        with closing(connect(_SILENCE_LIMIT)) as own:
            return push_image(image, name, progress=progress, client=own)
    repository, tag = parse_repository_tag(name)
    try:
        if not client.images.get(image).tag(repository, tag):
            raise _refused(name, "the engine did not take the name")
        digest = _push(client, repository, tag or "latest", name, progress)
    except ImageNotFound as error:
        raise ImageMissingError(
            f"There is no image {image!r} here to push: build it first, by openenv-gym build.",
            image=image,
        ) from error
    except (DockerException, RequestException) as error:
        raise _refused(name, explain(error)) from error
    return f"{repository}@{digest}"


def name_at(place: str, environment: str) -> str:
    """Return the name of an environment's image at a registry.

    Args:
        place: The registry, such as ``ghcr.io/team``.
        environment: Name of the environment, ``module:Class``, or the path of its folder.
    """
    last = registry.environment(environment).name.rpartition("/")[2]
    return f"{place.rstrip('/')}/{re.sub(r'[^a-z0-9]+', '-', last.lower()).strip('-')}"


def _push(
    client: DockerClient, repository: str, tag: str, name: str, progress: Progress | None
) -> str:
    layers: dict[str, bool] = {}
    digest = ""
    for entry in client.images.push(repository, tag=tag, stream=True, decode=True):
        if "error" in entry:
            raise _refused(name, str(entry["error"]))
        digest = entry.get("aux", {}).get("Digest", digest)
        _note(entry, layers, progress)
    if not digest:
        raise _refused(name, "the registry did not say what it has now")
    return digest


def _note(entry: dict[str, Any], layers: dict[str, bool], progress: Progress | None) -> None:
    layer, status = entry.get("id"), entry.get("status", "")
    if layer is None or status.startswith(layer):
        return
    done = status in _DONE
    news = done and not layers.get(layer)
    layers[layer] = done
    if news and progress is not None:
        progress(sum(layers.values()), len(layers), f"{layer}: {status}")


def _refused(name: str, reason: str) -> DockerError:
    return DockerError(
        f"The image cannot be pushed as {name}: {reason.strip()}. The name begins with the "
        "registry, as in registry.example.com/team/maze:1.0; where that wants a login, docker "
        "login registry.example.com does it.",
        image=name,
        reason=reason.strip(),
    )
