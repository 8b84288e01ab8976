"""Writes what follows from the ``openenv.yaml`` of the bundled environments: ``make generate``.

That is ``registry/bundled.py``, the table that the registry imports, the table of environments in
the README, and in each environment's folder what OpenEnv's tools look for there: ``pyproject.toml``
and ``server/``, which is of the template of ``openenv-gym init``. A test compares all of it with
what this module would write.
"""

from __future__ import annotations

import pprint
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from openenv_gym.cli.init import TEMPLATE, filled
from openenv_gym.errors import RegistryError
from openenv_gym.registry.manifest import MANIFEST, expand, read

ROOT = Path(__file__).parents[2]
ENVIRONMENTS = ROOT / "envs" / "openenv_gym_envs"
TABLE = Path(__file__).with_name("bundled.py")
README = ROOT / "README.md"
TEMPLATES = ROOT / "openenv_gym" / "cli" / TEMPLATE

MARKS = ("<!-- environments: written by `make generate` -->", "<!-- end of environments -->")

KEYS: Mapping[str, type] = {
    "spec_version": int,
    "name": str,
    "version": str,
    "description": str,
    "type": str,
    "runtime": str,
    "app": str,
    "port": int,
    "environment": str,
    "id": str,
    "extra": str,
    "overview": dict,
    "variables": dict,
    "validation": dict,
}
"""Keys that every bundled environment has."""
FURTHER: Mapping[str, type] = {"action": str, "observation": str, "variants": list, "docker": dict}
"""Keys that it may have."""

USED = ("name", "environment", "id", "extra", "description", "variants", "docker")
"""Keys that the registry needs."""

_PROJECT = """\
# Written by `make generate` from openenv.yaml, for OpenEnv's tools: the code is openenv-gym's.
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "openenv-{name}"
version = "{version}"
description = "{description}"
requires-python = ">=3.11"
dependencies = ["openenv-gym[{extra},server]>=0.1"]

[project.scripts]
server = "openenv_gym_envs.{name}.server.app:main"

[tool.setuptools]
packages = []
"""

_TABLE = '''\
"""The bundled environments, by name. Written by ``make generate`` from their ``openenv.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from openenv_gym.registry.manifest import Entry, bundled_entry

# fmt: off
_MANIFESTS: list[dict[str, Any]] = \\
{manifests}
# fmt: on

ENVIRONMENTS: Mapping[str, Entry] = MappingProxyType(
    {{manifest["name"]: bundled_entry(manifest) for manifest in _MANIFESTS}}
)
"""Environments that come with the package, by short name."""
'''


def manifests(folder: Path = ENVIRONMENTS) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield the folder of each bundled environment, and what its ``openenv.yaml`` has.

    Raises:
        RegistryError: A key is missing, unknown, or has a wrong value.
    """
    for path in sorted(folder.glob(f"*/{MANIFEST}")):
        manifest = read(path.parent)
        known = {**KEYS, **FURTHER}
        wrong = [
            *(f"{key} is missing" for key in KEYS if key not in manifest),
            *(f"{key} is unknown" for key in manifest if key not in known),
            *(
                f"{key} is not of type {kind.__name__}"
                for key, kind in known.items()
                if key in manifest and not isinstance(manifest[key], kind)
            ),
        ]
        if not wrong and manifest["name"] != path.parent.name:
            wrong.append(f"name is not {path.parent.name}, as the folder")
        if wrong:
            raise RegistryError(f"{path}: {'; '.join(wrong)}.", path=str(path))
        yield path.parent, manifest


def table(folder: Path = ENVIRONMENTS) -> str:
    """Return the text of ``registry/bundled.py``."""
    used = [
        {key: manifest[key] for key in USED if key in manifest} for _, manifest in manifests(folder)
    ]
    return _TABLE.format(manifests=pprint.pformat(used, width=100, sort_dicts=False))


def readme(text: str, folder: Path = ENVIRONMENTS) -> str:
    """Return the text of the README with the table of environments as it should be.

    Raises:
        RegistryError: The marks around the table are missing.
    """
    before, first, rest = text.partition(MARKS[0])
    _, last, after = rest.partition(MARKS[1])
    if not (first and last):
        raise RegistryError(f"{README} has no lines {MARKS[0]} and {MARKS[1]}.", path=str(README))
    rows = [
        "| id | action space | observation space | extra | reward |",
        "|---|---|---|---|---|",
        *(_row(path, manifest) for path, manifest in manifests(folder)),
    ]
    return before + "\n".join((first, "", *rows, "", last)) + after


def _row(path: Path, manifest: Mapping[str, Any]) -> str:
    overview, id = manifest["overview"], manifest["id"]
    cell = f"[`{id}`](envs/openenv_gym_envs/{path.name}/README.md)"
    if "variants" in manifest:
        stem, _, version = id.rpartition("-")
        more = len(expand(manifest["variants"])) - 1
        cell += f", `{stem}.{overview['variant']}-{version}` and {more} more"
    cells = (cell, overview["action"], overview["observation"], f"`{manifest['extra']}`")
    return f"| {' | '.join((*cells, overview['reward']))} |"


def folder_files(manifest: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of what OpenEnv's tools look for in a folder, by their paths in it.

    Args:
        manifest: The folder's ``openenv.yaml``.
    """
    name = manifest["name"]
    names = {
        "Name": manifest["id"].rpartition("/")[2].rpartition("-")[0],
        "dashed": f"openenv-{name}",
        "package": name,
        "packages": " ".join(manifest.get("docker", {}).get("packages", ())),
    }
    server = {f"server/{path}": text for path, text in filled(TEMPLATES / "server", names)}
    return {"pyproject.toml": _PROJECT.format_map(manifest), **server}


def main() -> int:
    """Write all of it."""
    TABLE.write_text(table(), "utf-8")
    README.write_text(readme(README.read_text("utf-8")), "utf-8")
    for folder, manifest in manifests():
        for path, text in folder_files(manifest).items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
