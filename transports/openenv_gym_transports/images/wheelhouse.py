"""A folder of wheels, from which an image is built with no network at all."""

from __future__ import annotations

import importlib.metadata
import shlex
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from openenv_gym.errors import BuildError, OptionError

__all__ = ["check", "command", "needed"]

# Markers are evaluated for the container, whatever runs here.
CONTAINER = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}


def command(folder: Path | str, lines: Iterable[str]) -> str:
    """What fetches the wheels of requirements into a folder, for the Python that runs here.

    Args:
        folder: The folder.
        lines: Lines of a requirements file.
    """
    return f"pip wheel --wheel-dir {shlex.quote(str(folder))} {shlex.join(lines)}"


def check(folder: Path, lines: Iterable[str]) -> None:
    """Refuses a wheelhouse that was made for other versions than are installed here.

    Of what is pinned, that is; what that depends on pip finds, or says what it lacks.

    Args:
        folder: The wheelhouse.
        lines: Lines of the requirements file of an image.

    Raises:
        OptionError: It holds no wheels.
        BuildError: It lacks a package, or the version; ``fields["lacking"]`` has the lines.
    """
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name, parse_wheel_filename

    lines = list(lines)
    held = defaultdict(set)
    for wheel in folder.glob("*.whl"):
        name, version, *_ = parse_wheel_filename(wheel.name)
        held[name].add(version)
    if not held:
        raise OptionError(
            f"The wheelhouse {folder} holds no wheels. "
            f"Make it with: {command(folder, ['pip', *lines])}",
            wheelhouse=str(folder),
        )
    lacking = {}
    for line in lines:
        wanted = Requirement(line)
        there = held[canonicalize_name(wanted.name)]
        if not any(wanted.specifier.contains(version, prereleases=True) for version in there):
            lacking[line] = ", ".join(map(str, sorted(there))) or "none"
    if lacking:
        reported = "; ".join(f"{line} (it holds {versions})" for line, versions in lacking.items())
        raise BuildError(
            f"The wheelhouse {folder} is not of what is installed here, which an image must "
            f"equal. It lacks {reported}. Add that: {command(folder, lacking)}",
            wheelhouse=str(folder),
            lacking=list(lacking),
        )


def needed(folder: Path, lines: Iterable[str]) -> list[Path]:
    """The wheels that the lines of a requirements file need, and pip's own.

    A wheelhouse for all environments has a gigabyte; most need a fiftieth of it. Where not all that
    is needed is installed here, which is how it is known, all wheels are taken.

    Args:
        folder: The wheelhouse.
        lines: Lines of the requirements file of an image.
    """
    from packaging.utils import canonicalize_name, parse_wheel_filename

    wheels = sorted(folder.glob("*.whl"))
    try:
        names = {canonicalize_name("pip"), *_closure(lines)}
    except importlib.metadata.PackageNotFoundError:
        return wheels
    return [wheel for wheel in wheels if parse_wheel_filename(wheel.name)[0] in names]


def _closure(lines: Iterable[str]) -> set[str]:
    """Names of all distributions that requirements need, by the metadata of what is installed."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    todo = [(Requirement(line), "") for line in lines]
    seen: set[tuple[str, str]] = set()
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({**CONTAINER, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                inner = importlib.metadata.requires(name) or ()
                todo += [(Requirement(text), wanted) for text in inner]
    return {name for name, _ in seen}
