"""``openenv-gym init``: writes the folder of an environment, to begin with."""

from __future__ import annotations

import argparse
import importlib.resources
import importlib.util
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym.errors import OptionError

TEMPLATE = "template"
"""Folder of the template, in this package."""
_GITHUB = ".github/"
_ENDING = ".txt"  # of the files of the template, which are not code of this package
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Writes the folder of a small environment that works: models, environment, client, server, "
        "openenv.yaml, README, pyproject.toml and a test of the contract. Make it yours."
    )
    parser.add_argument("name", help="of the environment and its folder: maze_env, or maze")
    parser.add_argument(
        "--output-dir",
        type=Path,
        default=Path(),
        metavar="DIR",
        help="where the folder is made (here)",
    )
    parser.add_argument(
        "--github",
        action="store_true",
        help="with a workflow of GitHub that tests it, and publishes its image with its contents "
        "(SBOM) and its provenance; the folder is then the repository",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Write the folder, and print what to do with it."""
    folder = arguments.output_dir / arguments.name
    names = _names(arguments.name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError(
            f"{folder} exists already: choose another name, or --output-dir.", folder=str(folder)
        )
    _check_free(arguments.name)
    template = importlib.resources.files("openenv_gym.cli") / TEMPLATE
    written: list[str] = []
    for path, text in sorted(filled(template, names)):
        if path.startswith(_GITHUB) and not arguments.github:
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, "utf-8")
        written.append(str(target))
    if arguments.json:
        print_json({"folder": str(folder), "files": written})
        return 0
    print(*written, sep="\n")
    path = shlex.quote(str(folder) if folder.is_absolute() else f"./{folder}")
    print(
        f"\nIt works as it is:\n"
        f"  openenv-gym play {path}\n"
        f"  openenv-gym validate {path}\n"
        f"  openenv-gym serve {path} --web\n"
        f"  python -m pytest {path}\n"
        "Then change models.py and environment.py."
    )
    return 0


def _names(name: str) -> Mapping[str, str]:
    """Return the values of the names in the template.

    Raises:
        OptionError: A package cannot have this name.
    """
    short = name.removesuffix("_env")
    if not _NAME.fullmatch(name) or not short:
        raise OptionError(
            f"{name!r} cannot name a package: small letters, digits and single underscores, "
            "beginning with a letter, such as maze_env.",
            name=name,
        )
    return {
        "Name": "".join(word.capitalize() for word in short.split("_")),
        "name": short,
        "dashed": short.replace("_", "-"),
        "package": name,
        "packages": "",
    }


def _check_free(name: str) -> None:
    """Check that no package has the name, which the new one would hide, or be hidden by.

    Raises:
        OptionError: One has it, or it is a word of Python.
    """
    found = None if keyword.iskeyword(name) else importlib.util.find_spec(name)
    if keyword.iskeyword(name) or (found is not None and found.origin is not None):
        raise OptionError(
            f"{name!r} is the name of another package, or a word of Python: choose another, such "
            f"as {name.removesuffix('_env')}_env.",
            name=name,
        )


def filled(folder: Traversable, names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the path and the text of each file of a template.

    Args:
        folder: The template; what in its texts stands as ``{{name}}`` is replaced.
        names: The values, by name.
    """
    for path, file in _files(folder):
        text = file.read_text("utf-8")
        for name, value in names.items():
            text = text.replace("{{" + name + "}}", value)
        yield path.removesuffix(_ENDING).replace("dot_github/", _GITHUB), text


def _files(folder: Traversable, inside: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        path = str(PurePosixPath(inside, entry.name))
        if entry.is_dir():
            yield from _files(entry, path)
        elif entry.name.endswith(_ENDING):
            yield path, entry
