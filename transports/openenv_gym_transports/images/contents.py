"""What goes into the image of an environment, taken from what is installed here.

The same code must run in the container as in process, so that a trajectory is the same
bit for bit: our packages are copied from where they are imported from (a checkout or
site-packages), and what they depend on is pinned to the versions installed here.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shutil
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from openenv_gym import registry
from openenv_gym.errors import BuildError, missing_package
from openenv_gym.registry import Entry
from openenv_gym.registry.manifest import MANIFEST, read
from openenv_gym_transports.images.own import PACKAGES, find_inside, is_included
from openenv_gym_transports.images.wheelhouse import CONTAINER, needed

if TYPE_CHECKING:
    from packaging.requirements import Requirement

__all__ = [
    "dockerfile",
    "image_name",
    "requirements",
    "version",
    "write_context",
]

DISTRIBUTION = "openenv-gym"

# Core dependencies that no server imports. An environment that needs one names it in its extra.
CLIENT_ONLY = frozenset(
    {
        "docker",  # starts containers; there is no engine in one
        "httpx",  # client side of the http transport
    }
)
# Those that the pipe face, all that runs in other containers, never imports either.
NETWORK_ONLY = frozenset({"websockets", "h11"})


def version() -> str:
    """The version of openenv-gym that is installed here."""
    return importlib.metadata.version(DISTRIBUTION)


def requirements(environment: str, *, serve: bool = False) -> list[str]:
    """What the server of an environment needs, pinned to what is installed here.

    Args:
        environment: Name of a bundled environment, whose extra is added; or a folder, whose
            ``pyproject.toml`` may list dependencies; or ``"module:Class"``, whose needs are not
            known.
        serve: Whether it serves the network.

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
    entry = registry.environment(environment)
    extras = [entry.extra or "", *(["server"] if serve else [])]
    targets = [{**CONTAINER, "extra": extra} for extra in extras]
    unused = CLIENT_ONLY if serve else CLIENT_ONLY | NETWORK_ONLY
    lines = set()
    for text in importlib.metadata.requires(DISTRIBUTION) or ():
        requirement = Requirement(text)
        marker = requirement.marker
        wanted = marker is None or any(map(marker.evaluate, targets))
        if wanted and (marker or requirement.name not in unused):
            lines.add(_line(requirement))
    return sorted(lines | _own_requirements(entry))


def _own_requirements(entry: Entry) -> set[str]:
    """Return what the ``pyproject.toml`` of an environment's folder depends on, likewise pinned."""
    from packaging.requirements import Requirement

    project = Path(entry.folder, "pyproject.toml") if entry.folder is not None else None
    if project is None or not project.is_file():
        return set()
    try:
        listed = tomllib.loads(project.read_text("utf-8")).get("project", {})
        found = [Requirement(text) for text in listed.get("dependencies", ())]
    except ValueError as error:
        raise BuildError(f"{project} is not valid: {error}.", path=str(project)) from error
    return {
        _line(one)
        for one in found
        if one.name.lower().replace("_", "-") != DISTRIBUTION
        and (one.marker is None or one.marker.evaluate({**CONTAINER, "extra": ""}))
    }


def _line(requirement: Requirement) -> str:
    extras = ",".join(sorted(requirement.extras))
    name = f"{requirement.name}[{extras}]" if extras else requirement.name
    return name + _pin(requirement.name, str(requirement.specifier))


def _pin(name: str, specifier: str) -> str:
    try:
        return f"=={importlib.metadata.version(name)}"
    except importlib.metadata.PackageNotFoundError:
        return specifier


def image_name(environment: str, include: Sequence[Path] = (), *, serve: bool = False) -> str:
    """The image that runs the same code as is installed here.

    The tag ends in a hash of all that goes in, so the image of a checkout that has
    changed since is never taken for the current one. The base image is not part of it:
    an image is found again without saying what it was built on.

    Args:
        environment: Name of a bundled environment, ``"module:Class"``, or the path of a folder.
        include: Files and package folders that are added to those of the environment.
        serve: Whether it serves the network.
    """
    return _image_name(environment, tuple(include), serve)


@lru_cache
def _image_name(environment: str, include: tuple[Path, ...], serve: bool) -> str:
    # Cached, since one process may make hundreds of environments; and it goes on with
    # the code that it has imported, whatever becomes of the files.
    digest = hashlib.sha256("\n".join(requirements(environment, serve=serve)).encode())
    digest.update(dockerfile(environment, serve=serve).encode())
    for name, path in _sources(environment, include):
        digest.update(f"\n{name}\n".encode())
        digest.update(path.read_bytes())
    # What the name of an image allows: no colon, no capitals, no separator at an end.
    slug = re.sub(r"[^a-z0-9]+", "-", environment.lower()).strip("-") + "-server" * serve
    tag = f"{version().replace('+', '-')}-{digest.hexdigest()[:12]}"
    return f"openenv-gym/{slug}:{tag}"


def write_context(
    folder: Path,
    environment: str,
    wheelhouse: Path | None = None,
    include: Sequence[Path] = (),
    *,
    serve: bool = False,
) -> None:
    """Writes the Dockerfile and what it copies.

    Args:
        folder: An empty folder; it gets ``requirements.txt``, ``wheelhouse/`` (empty
            without one) and ``packages/``.
        environment: Name of a bundled environment, ``"module:Class"``, or the path of a folder.
        wheelhouse: Folder of wheels.
        include: Files and package folders to be importable in the container, beside those of the
            environment.
        serve: Whether it serves the network.
    """
    (folder / "Dockerfile").write_text(dockerfile(environment, serve=serve), "utf-8")
    lines = requirements(environment, serve=serve)
    (folder / "requirements.txt").write_text("".join(f"{line}\n" for line in lines))
    wheels = folder / "wheelhouse"
    wheels.mkdir()
    for wheel in needed(wheelhouse, lines) if wheelhouse else ():
        _copy(wheel, wheels / wheel.name)
    for name, path in _sources(environment, include):
        target = folder / "packages" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        _copy(path, target)
    inside = find_inside(environment)
    if inside.manifest:  # as JSON, which is YAML that needs no parser of it in the container
        home = inside.files[0]
        text = json.dumps(read(home), default=str)
        (folder / "packages" / home.name / MANIFEST).write_text(text, "utf-8")


def _copy(source: Path, target: Path) -> None:
    # With a mode of our own: the ordinary user of the container could not read a
    # checkout that was made under a strict umask.
    shutil.copyfile(source, target)
    target.chmod(0o644)


def dockerfile(environment: str, *, serve: bool = False) -> str:
    """Return the Dockerfile of an environment's image.

    Args:
        environment: Name of the environment, which the image serves if it does.
        serve: Whether it serves the network.
    """
    text = Path(__file__).with_name("Dockerfile").read_text("utf-8")
    if not serve:
        return text
    end = Path(__file__).with_name("Dockerfile.serve").read_text("utf-8")
    return text + end.replace("{{environment}}", find_inside(environment).name)


def _sources(environment: str, include: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Every file of our packages, the environment and what is included, by place in the image."""
    further = [path.resolve() for path in include]
    own = [path for path in find_inside(environment).files if not is_included(path.stem, further)]
    for root in (*map(_package_folder, PACKAGES), *own, *further):
        if root.is_file():
            yield root.name, root
        for parent, folders, files in os.walk(root):
            folders[:] = sorted(filter(lambda name: _belongs(Path(parent, name)), folders))
            for file in sorted(files):
                path = Path(parent, file)
                if path.suffix != ".pyc" and not file.startswith("."):
                    yield path.relative_to(root.parent).as_posix(), path


def _belongs(folder: Path) -> bool:
    """Return whether a folder of a package is part of it: not a virtual environment or a cache."""
    hidden = folder.name.startswith(".") or folder.name in ("__pycache__", "tests")
    return not hidden and not (folder / "pyvenv.cfg").is_file()


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
