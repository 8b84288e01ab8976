"""``openenv.yaml``: its one reader, and :class:`Entry`, what a name in the registry stands for.

The file describes an environment, and lies in its folder. Beside the keys of OpenEnv's own tools::

    environment: server.thing_environment:ThingEnvironment
    action: ThingAction              # models, where the environment's class does not name them
    observation: ThingObservation
    spaces:                          # Spaces of fields that the models do not bound
      board: {type: Box, low: -1, high: 1, shape: [42], dtype: int8}
      notes: null                    # into info
    exports: [lives, board.hash]     # attributes and methods that clients reach beside the episode
    docker:                          # see openenv_gym_transports.containers.needs
      memory: 2g

Those of the bundled environments have further keys, of which
:mod:`openenv_gym.registry.generate` makes the table that the registry imports.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import RegistryError, missing_package

if TYPE_CHECKING:
    from pathlib import Path

MANIFEST = "openenv.yaml"


@dataclass(frozen=True)
class Entry:
    """What a name stands for.

    Attributes:
        name: The short name, as ``serve`` takes it; for an environment of the user's own,
            ``module:Class``.
        target: ``module:Class``, or a function that makes one.
        id: The id that ``gymnasium.make`` takes, if it has one.
        extra: The extra of openenv-gym that installs what it needs.
        summary: One line that describes it.
        options: Options that the name stands for.
        variants: Options of further ids, by what stands in them behind the name and a dot: of
            ``openenv/Atari-v0`` the variant ``pong`` is ``openenv/Atari.pong-v0``.
        folder: The folder that is the package of the target, if it is used by its path.
        models: The models, or ``module:Class`` of them, by ``action``, ``observation`` and
            ``state``, where the environment's class does not name them.
        spaces: Descriptions of the Spaces of fields that the models do not bound.
        exports: Names of attributes and methods that can be reached beside the episode.
        make: Makes the environment in this process, where it has no name by which it is found.
        actions: Form of actions that call tools, if it was chosen: ``"oneof"`` or ``"json"``.
        docker: What it needs of its container; None where only its ``openenv.yaml`` has that.
    """

    name: str
    target: str
    id: str | None = None
    extra: str | None = None
    summary: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder: str | None = None
    models: Mapping[str, str | type] = field(default_factory=dict)
    spaces: Mapping[str, Any] = field(default_factory=dict)
    exports: tuple[str, ...] = ()
    make: Callable[..., Any] | None = None
    actions: str | None = None
    docker: Mapping[str, Any] | None = None

    def is_called(self, name: str) -> bool:
        """Return whether a name stands for this environment, without looking it up anywhere.

        Args:
            name: A short name, an id, ``module:Class`` with or without models in brackets, or the
                path of a folder, of which the last part is compared.
        """
        plain = name.partition("[")[0]
        if self.folder is not None and plain.startswith((".", "/", "~")):
            return plain.rstrip("/").rpartition("/")[2] == self.folder.rpartition("/")[2]
        own = self.name.partition("[")[0]
        return plain in (own, self.target) or plain in self.ids()

    def ids(self) -> Mapping[str, Mapping[str, Any]]:
        """Return all its ids, and the options that each stands for."""
        if self.id is None:
            return {}
        stem, _, version = self.id.rpartition("-")
        further = {f"{stem}.{name}-{version}": options for name, options in self.variants.items()}
        return {self.id: self.options, **further}


def expand(families: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the variants of families, as ``openenv.yaml`` has them.

    Args:
        families: Of each the ``values``, words in one text; the ``options``, and the ``name`` of
            the variant (by default the word), in which ``{}`` stands for the word.
    """
    return {
        family.get("name", "{}").replace("{}", word): {
            option: value.replace("{}", word) for option, value in family["options"].items()
        }
        for family in families
        for word in family["values"].split()
    }


def bundled_entry(manifest: Mapping[str, Any]) -> Entry:
    """Return the bundled environment that an ``openenv.yaml`` describes."""
    return Entry(
        manifest["name"],
        manifest["environment"],
        manifest["id"],
        manifest["extra"],
        manifest["description"],
        variants=expand(manifest.get("variants", ())),
        docker=manifest.get("docker", {}),
    )


def read(folder: Path) -> dict[str, Any]:
    """Return what the ``openenv.yaml`` of a folder has.

    Raises:
        RegistryError: The file is missing, or is not valid.
        MissingDependencyError: There is no YAML parser.
    """
    path = folder / MANIFEST
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise RegistryError(
            f"{folder} is not the folder of an environment: {MANIFEST} is missing there "
            f"({error.strerror}).",
            folder=str(folder),
        ) from error
    if text.startswith("{"):  # written by a program, such as into an image
        with suppress(ValueError):
            return dict(json.loads(text))
    try:
        import yaml
    except ImportError as error:
        raise missing_package(f"Reading {path}", "pyyaml", "docker") from error
    try:
        manifest = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RegistryError(f"{path} is not valid YAML: {error}.", folder=str(folder)) from error
    return manifest if isinstance(manifest, dict) else {}


def container_needs(entry: Entry) -> tuple[Mapping[str, Any], str]:
    """Return the section ``docker`` of an environment's ``openenv.yaml``, and where that is.

    The environment is not imported; where it has no such file the section is empty.

    Raises:
        RegistryError: The file is not valid.
        MissingDependencyError: There is a section, but no YAML parser to read it.
    """
    folder = home(entry)
    place = str(folder / MANIFEST) if folder is not None else MANIFEST
    if entry.docker is not None:
        return entry.docker, place
    # Most have no section, and then the parser is not even imported.
    if folder is None or "docker" not in _text(folder / MANIFEST):
        return {}, place
    section = read(folder).get("docker")
    return {} if section is None else section, place


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError:
        return ""


def home(entry: Entry) -> Path | None:
    """Return the folder that an environment's module is in, without importing it; None: unknown."""
    import importlib.util  # here: every import of openenv_gym imports this module
    from pathlib import Path

    if entry.folder is not None:
        return Path(entry.folder)
    top, *inner = entry.target.partition(":")[0].split(".")
    # Only the topmost package may be looked up: any deeper, and its parents are imported.
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent.joinpath(*inner[:-1])
