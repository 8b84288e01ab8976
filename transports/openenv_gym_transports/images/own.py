"""An environment of the user's own in an image: which files it is, and its name in there."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from openenv_gym import registry
from openenv_gym.registry import Entry

__all__ = ["PACKAGES", "PACKAGES_FOLDER", "Inside", "find_inside", "is_included"]

PACKAGES = ("openenv_gym", "openenv_gym_transports", "openenv_gym_envs")
"""Our own, which every image has, as it has gymnasium."""

PACKAGES_FOLDER = "/opt/openenv-gym/packages"
"""Where an image has what is copied into it."""


class Inside(NamedTuple):
    """An environment as an image has it.

    Attributes:
        name: By which a server in the container finds it.
        files: Python files and package folders that it is in, to be copied; none of a bundled one.
        missing: Names of modules that were not found here, so they are not among the files.
        manifest: Its folder has an ``openenv.yaml`` that the server reads.
    """

    name: str
    files: tuple[Path, ...] = ()
    missing: tuple[str, ...] = ()
    manifest: bool = False


@lru_cache
def find_inside(environment: str) -> Inside:
    """Return how an image has an environment; it is not imported.

    Args:
        environment: A name, ``module:Class``, ``script.py:Class`` or the path of a folder.

    Raises:
        RegistryError: There is no such environment.
    """
    if environment.startswith(PACKAGES_FOLDER):
        return Inside(environment)  # an image's own word for it
    entry = registry.environment(environment)
    if entry.name in registry.ENVIRONMENTS:
        return Inside(entry.name)
    names = {module.partition(".")[0]: module for module in _modules(entry)}
    if entry.folder is not None:
        folder = Path(entry.folder)
        names.pop(folder.name.replace("-", "_"), None)
        files, missing = _find(names)
        name = entry.name.replace(str(folder), f"{PACKAGES_FOLDER}/{folder.name}", 1)
        return Inside(name, (folder, *files), missing, manifest=True)
    files, missing = _find(names)
    name = entry.name
    for module in _modules(entry):
        if module.endswith(".py"):
            name = name.replace(module, f"{PACKAGES_FOLDER}/{Path(module).name}")
    return Inside(name, files, missing)


def is_included(module: str, include: Iterable[Path]) -> bool:
    """Return whether one of the files and folders that are included is a module."""
    return any(path.resolve().name in (module, f"{module}.py") for path in include)


def _modules(entry: Entry) -> Iterator[str]:
    """Yield the modules of an environment and of its models, a script as its path."""
    for target in (entry.target, *entry.models.values()):
        if isinstance(target, str):
            yield target.rpartition(":")[0]


def _find(names: dict[str, str]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Return where topmost modules are, and which of them are nowhere."""
    files: list[Path] = []
    missing: list[str] = []
    for top, module in names.items():
        if module.endswith(".py"):
            files.append(Path(module))
        elif top not in (*PACKAGES, "gymnasium") and top not in sys.stdlib_module_names:
            found = _place(top)
            files += found
            missing += [] if found else [top]
    return tuple(files), tuple(missing)


def _place(top: str) -> list[Path]:
    # What __main__ names here is in no file that another process can import.
    spec = None if top == "__main__" else importlib.util.find_spec(top)
    if spec is None:
        return []
    if spec.submodule_search_locations is not None:
        return [Path(place).resolve() for place in spec.submodule_search_locations][:1]
    return [Path(spec.origin)] if spec.has_location and spec.origin else []
