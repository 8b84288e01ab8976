"""Options of environments that are called like keywords of ``gymnasium.make``.

``make(id, timeout=9.0)`` sets the transport's limit. An environment may have an option ``timeout``
too: it is set by ``make(id, options={"timeout": 9.0})``, and whoever forgets that gets an error.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import OptionError
from openenv_gym.registry.bundled import ENVIRONMENTS
from openenv_gym.registry.loading import main_name
from openenv_gym.registry.manifest import Entry, home

if TYPE_CHECKING:
    from pathlib import Path

KEYWORDS = frozenset(
    {
        "action_space",
        "autoreset_mode",
        "close_timeout",
        "copy",
        "disable_env_checker",
        "environment",
        "id",
        "image",
        "lane_options",
        "max_episode_steps",
        "max_restarts",
        "num_envs",
        "observation_space",
        "on_failure",
        "options",
        "render_timeout",
        "require_isolation",
        "reset_timeout",
        "spaces",
        "start_timeout",
        "step_timeout",
        "timeout",
        "timing",
        "token",
        "transport",
        "transport_options",
        "url",
        "vector_kwargs",
        "vectorization_mode",
        "workers",
        "wrappers",
    }
)
"""Keywords of ``gymnasium.make`` and ``make_vec``, and of ours behind them.

All but ``render_mode``, which means the same to an environment, and ``actions``, of which ``make``
passes on what is not its own.
"""


def make_keywords(
    further: dict[str, Any], options: Mapping[str, Any] | None, id: str
) -> dict[str, Any]:
    """Return the keywords of ``make`` by which an id's options are passed.

    Args:
        further: Options that were given as keywords themselves.
        options: Options of any name.
        id: The id, for the error.

    Raises:
        OptionError: One of the first is called like a keyword of ``make``.
    """
    for name in KEYWORDS & further.keys():
        raise OptionError(
            f"register_environment({id!r}, {name}=...): {name} is a keyword of make(). For an "
            f"option of the environment that is called so, write options={{{name!r}: ...}}.",
            option=name,
        )
    every = {**further, **(options or {})}
    shadowed = {name: value for name, value in every.items() if name in KEYWORDS}
    plain = {name: value for name, value in every.items() if name not in KEYWORDS}
    return {**plain, "options": shadowed} if shadowed else plain


def check_shadowed(entry: Entry, keywords: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Check that no keyword of ``make`` was meant for an option of the environment.

    The environment is not imported: where its module is not loaded its source is read. No bundled
    environment has such an option.

    Args:
        entry: The environment.
        keywords: Keywords of ``make`` by name; None where one was not given.
        options: The environment's options.

    Raises:
        OptionError: One of the keywords may be the option of that name, which is not given.
    """
    given = {name for name, value in keywords.items() if value is not None} - options.keys()
    if not given or entry.name in ENVIRONMENTS:
        return
    for name in sorted(given & _parameters(entry)):
        raise OptionError(
            f"{name}= is a keyword of make(), and an option of {entry.name} too. For the "
            f"environment's write options={{{name!r}: {keywords[name]!r}}}; with that, {name}= may "
            "stand beside it.",
            option=name,
        )


def _parameters(entry: Entry) -> frozenset[str]:
    """Return the options of an environment as far as they can be known without importing it."""
    module, _, attribute = entry.target.rpartition(":")
    found: Any = sys.modules.get("__main__" if module == main_name() else module)
    with suppress(Exception):  # whatever is wrong with it is said when it is made
        if found is not None:
            for name in attribute.split("."):
                found = getattr(found, name)
            return frozenset(inspect.signature(found).parameters)
        return frozenset(_read_parameters(_source(entry, module), attribute))
    return frozenset()


def _source(entry: Entry, module: str) -> Path:
    from pathlib import Path  # here: every import of openenv_gym imports this module

    if module.endswith(".py"):
        return Path(module)
    folder = home(entry)
    assert folder is not None
    if entry.folder is not None:
        return folder.joinpath(*module.split(".")[1:]).with_suffix(".py")
    name = module.rpartition(".")[2]
    file = folder / f"{name}.py"
    return file if file.is_file() else folder / name / "__init__.py"


def _read_parameters(path: Path, attribute: str) -> Iterator[str]:
    """Yield the parameters of a function, or of the constructor of a class, in a file."""
    tops = {
        node.name: node
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
    node = tops.get(attribute)
    while isinstance(node, ast.ClassDef):
        made = [one for one in node.body if isinstance(one, ast.FunctionDef)]
        constructor = next((one for one in made if one.name == "__init__"), None)
        bases: Iterable[ast.expr] = node.bases
        inherited = (tops.get(getattr(base, "id", "")) for base in bases)
        node = constructor or next((base for base in inherited if base is not None), None)
    if node is not None:
        for argument in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs):
            yield argument.arg
