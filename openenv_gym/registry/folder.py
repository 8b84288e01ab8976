"""Environment folders: what OpenEnv's tools make and publish, used by the path.

The folder is a package, whose name is its own::

    thing_env/
        openenv.yaml
        models.py                    ThingAction, ThingObservation
        server/app.py                create_app(ThingEnvironment, ThingAction, ThingObservation)
        server/thing_environment.py  ThingEnvironment

What the environment and its models are is read in ``server/app.py``, which is not run. Where that
does not tell, and for Spaces that the models do not bound, ``openenv.yaml`` may have::

    environment: server.thing_environment:ThingEnvironment
    action: ThingAction
    observation: ThingObservation
    spaces:
      board: {type: Box, low: -1, high: 1, shape: [42], dtype: int8}
      notes: null                    # into info
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from openenv_gym.errors import RegistryError, missing_package
from openenv_gym.registry.entry import Entry

MANIFEST = "openenv.yaml"


def entry_of(path: str) -> Entry:
    """The environment in a folder, which is not imported.

    Args:
        path: Of the folder.

    Raises:
        RegistryError: It is no environment folder, or does not tell which class the environment is.
        MissingDependencyError: There is no YAML parser.
    """
    folder = Path(path).expanduser().resolve()
    manifest = _manifest(folder)
    classes = dict(_environment_classes(folder))
    app = _app(folder)
    named = manifest.get("environment") or app.get("env")
    if named is None:
        if len(classes) != 1:
            raise RegistryError(
                f"{folder} has {len(classes)} classes derived from an Environment in server/"
                f"{': ' if classes else ''}{', '.join(classes)}. Say in {MANIFEST} which it is: "
                "environment: server.thing_environment:ThingEnvironment",
                folder=str(folder),
                classes=[*classes],
            )
        ((name, module),) = classes.items()
        named = f"{module}:{name}"
    models = {
        side: str(told)
        for side in ("action", "observation")
        if (told := manifest.get(side) or app.get(f"{side}_cls"))
    }
    package = _package(folder)
    return Entry(
        str(folder),
        _placed(package, folder, named),
        summary=str(manifest.get("description", "")),
        folder=str(folder),
        models={side: _placed(package, folder, name) for side, name in models.items()},
        spaces=manifest.get("spaces") or {},
    )


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise RegistryError(
            f"{folder} is no environment folder: it has no {MANIFEST} ({error.strerror}).",
            folder=str(folder),
        ) from error
    try:
        import yaml
    except ImportError as error:
        raise missing_package(f"Reading {path}", "pyyaml", "docker") from error
    try:
        manifest = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RegistryError(f"{path} is no YAML: {error}.", folder=str(folder)) from error
    return manifest if isinstance(manifest, dict) else {}


def _environment_classes(folder: Path) -> Iterator[tuple[str, str]]:
    """Classes in ``server/`` that are derived from some Environment, with their modules."""
    for path in sorted(folder.glob("server/*.py")):
        for node in ast.walk(_parsed(path)):
            if isinstance(node, ast.ClassDef) and any(map(_is_environment, node.bases)):
                yield node.name, f"server.{path.stem}"


def _is_environment(base: ast.expr) -> bool:
    """``Environment``, ``interfaces.MCPEnvironment``, ``Environment[ThingAction, ...]``."""
    if isinstance(base, ast.Subscript):
        base = base.value
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return str(name).endswith("Environment")


def _app(folder: Path) -> dict[str, str]:
    """What ``server/app.py`` imports and makes the application of, by the parameters' names."""
    path = folder / "server" / "app.py"
    if not path.is_file():
        return {}
    tree = _parsed(path)
    imported = {
        alias.asname or alias.name: f"{_module(node)}:{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("create_"):
            given = dict(zip(("env", "action_cls", "observation_cls"), node.args, strict=False))
            given |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            names = {parameter: getattr(value, "id", "") for parameter, value in given.items()}
            return {what: imported[name] for what, name in names.items() if name in imported}
    return {}


def _module(node: ast.ImportFrom) -> str:
    """The module that ``server/app.py`` imports from, as seen from the folder."""
    return f"server.{node.module}" if node.level == 1 else str(node.module)


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text("utf-8"), str(path))
    except (SyntaxError, ValueError) as error:
        raise RegistryError(f"{path} is no Python: {error}.", path=str(path)) from error


def _placed(package: str, folder: Path, name: str) -> str:
    """``module:Class`` of what a manifest names: within the folder, if it is there."""
    if ":" not in name:
        return f"{package}.models:{name}"
    first = name.partition(":")[0].partition(".")[0]
    inside = (folder / first).is_dir() or (folder / f"{first}.py").is_file()
    return f"{package}.{name}" if inside else name


def _package(folder: Path) -> str:
    name = folder.name.replace("-", "_")
    if not name.isidentifier():
        raise RegistryError(
            f"{folder} cannot be a package: {folder.name!r} is no name of one. Rename it, such as "
            "thing_env.",
            folder=str(folder),
        )
    return name


def import_package(path: str) -> None:
    """Makes the folder importable as a package of its name.

    Raises:
        RegistryError: Another package of that name was imported before.
        ImportError: Its ``__init__.py`` imports what is not there.
    """
    folder = Path(path)
    name = _package(folder)
    loaded = sys.modules.get(name)
    if loaded is not None:
        places = [Path(place).resolve() for place in getattr(loaded, "__path__", [])]
        if folder in places:
            return
        raise RegistryError(
            f"{folder} cannot be imported: another package {name!r} is, from "
            f"{', '.join(map(str, places)) or loaded}. Use each in a process of its own: "
            "transport='process'.",
            folder=path,
        )
    init = folder / "__init__.py"
    spec: ModuleSpec | None
    if init.is_file():
        spec = importlib.util.spec_from_file_location(
            name, init, submodule_search_locations=[str(folder)]
        )
    else:
        spec = ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
    assert spec is not None, "it is a file of Python"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
