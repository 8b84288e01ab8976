"""What the names in the registry stand for: classes, functions and modules, imported."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from openenv_gym.errors import RegistryError, missing_package, shown
from openenv_gym.registry.bundled import ENVIRONMENTS
from openenv_gym.registry.manifest import Entry

_COMMAND = "openenv_gym.cli.__main__"


def load(entry: Entry) -> Callable[..., Any]:
    """Import the class or function that an entry names.

    What the module itself raises passes through.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
        RegistryError: There is no such module or class.
    """
    if entry.make is not None:
        return entry.make
    module, _, attribute = entry.target.rpartition(":")
    try:
        if entry.folder is not None:
            from openenv_gym.registry.folder import import_package

            import_package(entry.folder)
        loaded: Any = _import(module)
    except ModuleNotFoundError as error:
        problem = _missing_module(entry, module, error)
        if problem is None:
            raise
        raise problem from error
    except (ValueError, TypeError) as error:
        if module and not module.startswith("."):
            raise
        raise RegistryError(
            f"{entry.target!r} names no module. Name a class as 'module:Class'.",
            target=entry.target,
        ) from error
    try:
        for name in attribute.split("."):
            loaded = getattr(loaded, name)
    except AttributeError as error:
        raise RegistryError(
            f"The module {module} has no {attribute}. {_advice(module)}", target=entry.target
        ) from error
    if not callable(loaded):
        raise RegistryError(
            f"{entry.target} is not a class or function. Name a class as 'module:Class'.",
            target=entry.target,
        )
    made: Callable[..., Any] = loaded
    return made


def _advice(module: str) -> str:
    if module == "__main__":
        return (
            "Where it is defined, __main__ is not a file that another process can import (a "
            "notebook, or python -c): put the class into a module, and name it 'module:Class'."
        )
    return "Name a class as 'module:Class'."


def _import(module: str) -> ModuleType:
    if module == main_name():
        return sys.modules["__main__"]
    if module.endswith(".py"):
        return _import_script(module)
    return importlib.import_module(module)


def _import_script(path: str) -> ModuleType:
    """Import a script by its path, under a name that hides no other module.

    Its ``if __name__ == "__main__":`` is not run.
    """
    name = f"openenv_gym_script_{hashlib.sha256(path.encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, "it ends in .py"
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    folder = os.path.dirname(path)
    if folder not in sys.path:  # where Python looks for what a script imports
        sys.path.append(folder)
    try:
        spec.loader.exec_module(module)
    except FileNotFoundError as error:
        del sys.modules[name]
        raise RegistryError(f"There is no script {path}.", path=path) from error
    except BaseException:
        del sys.modules[name]
        raise
    return module


def main_name() -> str:
    """Return what another process can import the module ``__main__`` by: its name, or its path.

    It is ``"__main__"`` where no other process can, as in a notebook; and in a server that was
    started for one, whose own module it is not.
    """
    main = sys.modules["__main__"]
    name = getattr(getattr(main, "__spec__", None), "name", "__main__")
    if name == _COMMAND:
        return "__main__"
    if name != "__main__":  # python -m name
        return str(name)
    path = getattr(main, "__file__", None)
    return os.path.abspath(path) if isinstance(path, str) and path.endswith(".py") else "__main__"


def name_of(target: str | Callable[..., Any]) -> str:
    """Return ``module:Class`` of a class or function, by which other processes import it.

    Args:
        target: The class or function; its name is returned as it is.

    Raises:
        RegistryError: It cannot be found by a name.
    """
    if isinstance(target, str):
        return target
    module = getattr(target, "__module__", None)
    name = getattr(target, "__qualname__", None)
    if not callable(target) or not isinstance(module, str) or not isinstance(name, str):
        raise RegistryError(
            f"{shown(target)} is not an environment's class, nor a function that makes one, nor "
            "the name of one: 'module:Class'.",
            target=shown(target),
        )
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    if found is not target:
        raise RegistryError(
            f"{name} cannot be found by its name in the module {module}, as other processes must "
            "find it. Define it at the top level of a module.",
            target=f"{module}:{name}",
        )
    return f"{main_name() if module == '__main__' else module}:{name}"


def part(entry: Entry, name: str) -> ModuleType | None:
    """Import a module of an environment's folder, such as its ``demo``.

    Args:
        entry: A bundled environment, or one that is used by the path of its folder.
        name: Name of the module.

    Returns:
        The module; None where the folder has none of that name, or it is not known.
    """
    if entry.folder is not None:
        from openenv_gym.registry.folder import import_package

        package = import_package(entry.folder)
    elif entry.name in ENVIRONMENTS:
        package = entry.target.partition(":")[0].rpartition(".")[0]
    else:
        return None
    try:
        return importlib.import_module(f"{package}.{name}")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.{name}":
            raise
        return None


def _missing_module(entry: Entry, module: str, error: ModuleNotFoundError) -> Exception | None:
    """Return the error for a module that is not there; None where the error says it better."""
    missing = error.name
    if missing is None:
        return None
    if module == missing or module.startswith(f"{missing}."):
        return RegistryError(
            f"There is no module {missing!r} to take {entry.target} from, in any of the "
            f"{len(sys.path)} places of sys.path. Install its package, or put the folder that it "
            "is in on PYTHONPATH.",
            target=entry.target,
        )
    top = missing.partition(".")[0]
    if top == module.partition(".")[0]:
        return None  # a part of its own package: nothing to install
    package = missing if sys.modules.get(top) is not None else top
    return missing_package(entry.name, package, entry.extra, name=entry.name)


def without_path(name: str) -> str:
    """Return a name without the path of its folder or script, which differs between machines."""
    return name.rpartition("/")[2] if name.startswith("/") else name
