"""Environment folders: what OpenEnv's tools make and publish, used by the path.

The folder is a package, whose name is its own::

    thing_env/
        openenv.yaml
        models.py                    ThingAction, ThingObservation
        server/app.py                create_app(ThingEnvironment, ThingAction, ThingObservation)
        server/thing_environment.py  ThingEnvironment

Which class the environment is, and which its models, is read from ``server/app.py``, which is not
run; where that does not say, from ``openenv.yaml`` (:mod:`openenv_gym.registry.manifest`).
"""

from __future__ import annotations

import ast
import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from pathlib import Path

from openenv_gym.errors import RegistryError
from openenv_gym.registry.bundled import ENVIRONMENTS
from openenv_gym.registry.manifest import MANIFEST, Entry, read


def folder_entry(path: str) -> Entry:
    """Return the environment in a folder, which is not imported.

    Args:
        path: Path of the folder.

    Raises:
        RegistryError: It is not the folder of an environment, or does not say which class that is.
        MissingDependencyError: There is no YAML parser.
    """
    try:
        folder = Path(os.path.realpath(os.path.expanduser(path)))  # without an error for ~nobody
    except ValueError as error:
        raise RegistryError(f"{path!r} is not a path: {error}.") from error
    manifest = read(folder)
    classes = dict(_environment_classes(folder))
    app = _app(folder)
    target = manifest.get("environment") or app.get("env")
    bundled = ENVIRONMENTS.get(str(manifest.get("name")))
    if bundled is not None and bundled.target == target:  # wherever its folder was copied to
        return bundled
    if target is None:
        if len(classes) != 1:
            raise RegistryError(
                f"{folder} has {len(classes)} classes derived from an Environment in server/"
                f"{': ' if classes else ''}{', '.join(classes)}. Say in {MANIFEST} which it is: "
                "environment: server.thing_environment:ThingEnvironment",
                folder=str(folder),
                classes=[*classes],
            )
        ((cls, module),) = classes.items()
        target = f"{module}:{cls}"
    models = {
        side: str(name)
        for side in ("action", "observation")
        if (name := manifest.get(side) or app.get(f"{side}_cls"))
    }
    package = _package(folder)
    return Entry(
        str(folder),
        _qualify(package, folder, target),
        summary=str(manifest.get("description", "")),
        folder=str(folder),
        models={side: _qualify(package, folder, name) for side, name in models.items()},
        spaces=manifest.get("spaces") or {},
        exports=tuple(manifest.get("exports") or ()),
        docker=manifest.get("docker") or {},
    )


def _environment_classes(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the classes in ``server/`` derived from some Environment, with their modules."""
    for path in sorted(folder.glob("server/*.py")):
        for node in ast.walk(_parse(path)):
            if isinstance(node, ast.ClassDef) and any(map(_is_environment, node.bases)):
                yield node.name, f"server.{path.stem}"


def _is_environment(base: ast.expr) -> bool:
    """Whether a base class is an Environment, such as ``MCPEnvironment[ThingAction]``."""
    if isinstance(base, ast.Subscript):
        base = base.value
    name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
    return str(name).endswith("Environment")


def _app(folder: Path) -> dict[str, str]:
    """Return what ``server/app.py`` makes the application of, by the names of the parameters."""
    path = folder / "server" / "app.py"
    if not path.is_file():
        return {}
    tree = _parse(path)
    imported: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            module, is_own = _module(node, folder)
            for alias in node.names:
                name = alias.asname or alias.name
                if is_own or name not in imported:  # one layout of several: that of the folder
                    imported[name] = f"{module}:{alias.name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "").startswith("create_"):
            passed = dict(zip(("env", "action_cls", "observation_cls"), node.args, strict=False))
            passed |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            names = {parameter: getattr(value, "id", "") for parameter, value in passed.items()}
            return {what: imported[name] for what, name in names.items() if name in imported}
    return {}


def _module(node: ast.ImportFrom, folder: Path) -> tuple[str, bool]:
    """Return the module that ``server/app.py`` imports from, and whether the folder has it.

    The same module has several names: ``..models``, ``models``, ``thing_env.models`` and
    ``envs.thing_env.models``. Of the folder's own the name is that within the folder.
    """
    module = f"server.{node.module}" if node.level == 1 else str(node.module)
    words = module.split(".")
    package = _package(folder)
    inner = words[words.index(package) + 1 :] if package in words else words
    path = folder.joinpath(*inner)
    is_own = bool(inner) and (path.with_suffix(".py").is_file() or path.is_dir())
    return (".".join(inner), True) if is_own else (module, False)


def _parse(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text("utf-8"), str(path))
    except (SyntaxError, ValueError) as error:
        raise RegistryError(f"{path} is not valid Python: {error}.", path=str(path)) from error


def _qualify(package: str, folder: Path, name: str) -> str:
    """Return ``module:Class`` of what a manifest names: within the folder, if it is there."""
    if ":" not in name:
        return f"{package}.models:{name}"
    first = name.partition(":")[0].partition(".")[0]
    inside = (folder / first).is_dir() or (folder / f"{first}.py").is_file()
    return f"{package}.{name}" if inside else name


def _package(folder: Path) -> str:
    name = folder.name.replace("-", "_")
    if not name.isidentifier():
        raise RegistryError(
            f"{folder} cannot be a package: {folder.name!r} is not a valid name for one. "
            "Rename it, such as thing_env.",
            folder=str(folder),
        )
    return name


def import_package(path: str) -> str:
    """Make the folder importable as a package of its name, and return that name.

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
            return name
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
    assert spec is not None, "it ends in .py"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return name
