"""What an image is built from, as a folder that any builder of images takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from openenv_gym import registry
from openenv_gym.errors import OptionError
from openenv_gym_transports.containers.needs import needs_of
from openenv_gym_transports.images.build import (
    DEFAULT_BASE_IMAGE,
    check_contents,
    labels_of,
)
from openenv_gym_transports.images.contents import write_context

__all__ = ["export_context"]


def export_context(
    folder: Path,
    environment: str,
    *,
    base_image: str | None = None,
    wheelhouse: Path | None = None,
    include: Sequence[Path] = (),
    serve: bool = False,
) -> None:
    """Write the Dockerfile of an image and what it copies: ``docker build FOLDER`` needs no more.

    Args:
        folder: A folder that is empty, or not there.
        environment: As of ``openenv-gym build``.
        base_image: What the image is built on, which the builder must be able to pull; by default
            ``python:X.Y-slim`` of the version that runs here.
        wheelhouse: Folder of wheels, which are written too: the build then asks no index.
        include: Further files and package folders to be importable in the container.
        serve: Whether the image serves the network when it is run.

    Raises:
        RegistryError: There is no such environment.
        OptionError: The folder has files already, or the wheelhouse holds no wheels.
        BuildError: A module of the environment is not found.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(
            f"{folder} has files already: name a folder that is empty, or not there yet.",
            folder=str(folder),
        )
    name = registry.environment(environment).name
    check_contents(name, wheelhouse, include, serve=serve)
    folder.mkdir(parents=True, exist_ok=True)
    write_context(folder, name, wheelhouse, include, serve=serve)
    if wheelhouse is None:
        (folder / "wheelhouse" / "README").write_text("A commit has no empty folders.\n")
    packages = "" if wheelhouse else " ".join(needs_of(name).packages)
    path = folder / "Dockerfile"
    text = path.read_text("utf-8")
    text = text.replace(
        "ARG BASE_IMAGE\n", f"ARG BASE_IMAGE={base_image or DEFAULT_BASE_IMAGE}\n", 1
    )
    text = text.replace('ARG PACKAGES=""', f'ARG PACKAGES="{packages}"', 1)
    labels = labels_of(name, include, serve=serve)
    text += "LABEL " + " ".join(f'{key}="{value}"' for key, value in labels.items()) + "\n"
    path.write_text(text, "utf-8")
