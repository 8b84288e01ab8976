"""What goes into the image of an environment, taken from what is installed here.

The same code must run in the container as in process, so that a trajectory is the same
bit for bit: our packages are copied from where they are imported from (a checkout or
site-packages), and what they depend on is pinned to the versions installed here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from openenv_gym import registry
from openenv_gym.errors import BuildError, missing_package
from openenv_gym_transports.images.wheelhouse import CONTAINER, needed

__all__ = [
    "image_name",
    "requirements",
    "version",
    "write_context",
]

DISTRIBUTION = "openenv-gym"
PACKAGES = ("openenv_gym", "openenv_gym_transports", "openenv_gym_envs")

# Core dependencies that the pipe face, all that runs in the container, never imports. An
# environment that needs one names it in its extra.
CLIENT_ONLY = frozenset(
    {
        "docker",  # starts containers; there is no engine in one
        "websockets",  # client side of the websocket transport
        "httpx",  # and of the http transport
        "h11",
    }
)


def version() -> str:
    """The version of openenv-gym that is installed here."""
    return importlib.metadata.version(DISTRIBUTION)


def requirements(environment: str) -> list[str]:
    """What the server of an environment needs, pinned to what is installed here.

    Args:
        environment: Name of a bundled environment, whose extra is added; or
            ``"module:Class"``, whose needs are not known.

    Returns:
        Lines of a requirements file, sorted. A package that is not installed here keeps
        the range that our own metadata gives it.

    Raises:
        RegistryError: There is no such environment.
        MissingDependencyError: The ``packaging`` package is not installed.
    """
    try:
        from packaging.requirements import Requirement
    except ImportError as exc:
        raise missing_package("Choosing what goes into an image", "packaging", "docker") from exc
    target = {**CONTAINER, "extra": registry.environment(environment).extra or ""}
    lines = set()
    for text in importlib.metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        wanted = requirement.marker is None or requirement.marker.evaluate(target)
        if wanted and (requirement.marker or requirement.name not in CLIENT_ONLY):
            extras = ",".join(sorted(requirement.extras))
            name = f"{requirement.name}[{extras}]" if extras else requirement.name
            lines.add(name + _pin(requirement.name, str(requirement.specifier)))
    return sorted(lines)


def _pin(name: str, specifier: str) -> str:
    try:
        return f"=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return specifier


def image_name(environment: str, include: Sequence[Path] = ()) -> str:
    """The image that runs the same code as is installed here.

    The tag ends in a hash of all that goes in, so the image of a checkout that has
    changed since is never taken for the current one. The base image is not part of it:
    an image is found again without saying what it was built on.

    Args:
        environment: Name of a bundled environment, or ``"module:Class"``.
        include: Files and package folders that are added to the image.
    """
    return _image_name(environment, tuple(include))


@lru_cache
def _image_name(environment: str, include: tuple[Path, ...]) -> str:
    # Cached, since one process may make hundreds of environments; and it goes on with
    # the code that it has imported, whatever becomes of the files.
    digest = hashlib.sha256("\n".join(requirements(environment)).encode())
    digest.update(_dockerfile().read_bytes())
    for name, path in _sources(include):
        digest.update(f"\n{name}\n".encode())
        digest.update(path.read_bytes())
    # What the name of an image allows: no colon, no capitals, no separator at an end.
    slug = re.sub(r"[^a-z0-9]+", "-", environment.lower()).strip("-")
    tag = f"{version().replace('+', '-')}-{digest.hexdigest()[:12]}"
    return f"openenv-gym/{slug}:{tag}"


def write_context(
    folder: Path,
    environment: str,
    wheelhouse: Path | None = None,
    include: Sequence[Path] = (),
) -> None:
    """Writes the Dockerfile and what it copies.

    Args:
        folder: An empty folder; it gets ``requirements.txt``, ``wheelhouse/`` (empty
            without one) and ``packages/``.
        environment: Name of a bundled environment, or ``"module:Class"``.
        wheelhouse: Folder of wheels.
        include: Files and package folders to be importable in the container.
    """
    shutil.copyfile(_dockerfile(), folder / "Dockerfile")
    lines = requirements(environment)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    wheels = folder / "wheelhouse"
    wheels.mkdir()
    for wheel in needed(wheelhouse, lines) if wheelhouse else ():
        _copy(wheel, wheels / wheel.name)
    for name, path in _sources(include):
        target = folder / "packages" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, target)


def _copy(source: Path, target: Path) -> None:
    # With a mode of our own: the ordinary user of the container could not read a
    # checkout that was made under a strict umask.
    shutil.copyfile(source, target)
    target.chmod(0o644)


def _dockerfile() -> Path:
    return Path(__file__).with_name("Dockerfile")


def _sources(include: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Every file of our packages and of what is included, by its place in the image."""
    for root in (
        *map(_package_folder, PACKAGES),
        *(path.resolve() for path in include),
    ):
        if root.is_file():
            yield root.name, root
        for parent, folders, files in os.walk(root):
            folders[:] = sorted(set(folders) - {"__pycache__", "tests"})
            for file in sorted(files):
                path = Path(parent, file)
                if path.suffix != ".pyc":
                    yield path.relative_to(root.parent).as_posix(), path


def _package_folder(name: str) -> Path:
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise BuildError(
            f"An image is made of the installed packages {', '.join(PACKAGES)}, but "
            f"{name} is not a folder that can be imported here. Install it again: "
            "pip install --force-reinstall openenv-gym",
            package=name,
        )
    return Path(next(iter(spec.submodule_search_locations)))
