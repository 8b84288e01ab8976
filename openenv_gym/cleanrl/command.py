"""``python -m openenv_gym.cleanrl``: runs a script on environments of OpenEnv."""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium

from openenv_gym.cleanrl.flatten import Flattening
from openenv_gym.cleanrl.gymnasium_029 import gymnasium_029, is_ours
from openenv_gym.cleanrl.script import Script
from openenv_gym.cli.arguments import add_options, options_of
from openenv_gym.errors import OpenEnvGymError, OptionError, RegistryError, missing_package

_ID_FLAGS = ("--env-id", "--env_id", "--gym-id", "--gym_id")
_OUR_FLAGS = ("--option", "--flatten", "--no-flatten")
_VIDEO_FLAGS = ("--capture-video", "--capture_video")
_WRONG_USAGE = 2


def main(words: Sequence[str] | None = None) -> int:
    """Runs a script as the command line says.

    Args:
        words: The command line; by default that of the process.

    Returns:
        The exit code: 0, or 2 where an error was printed. What the script raises is not caught.
    """
    parser = argparse.ArgumentParser(
        prog="python -m openenv_gym.cleanrl",
        description="Runs a script written for gymnasium 0.29, such as CleanRL's, on OpenEnv "
        "environments.",
        epilog="The variable OPENENV_GYM_TRANSPORT sets the transport.",
    )
    add_options(
        parser,
        "keyword of gymnasium.make, for environments of OpenEnv: an option of the environment, "
        "transport, url, ...",
    )
    parser.add_argument(
        "--flatten",
        action=argparse.BooleanOptionalAction,
        help="give the script observations of OpenEnv environments as a vector of float32; by "
        "default only where it builds dense networks, and not pictures",
    )
    parser.add_argument("script", type=Path, help="the script")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="its own: --env-id openenv/Connect4-v0 ..."
    )
    parsed = parser.parse_args(words)
    try:
        options = options_of(parsed.option)
        _check(parsed.script, parsed.arguments, options)
    except OpenEnvGymError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return _WRONG_USAGE
    run(parsed.script, parsed.arguments, options, flatten=parsed.flatten)
    return 0


def run(
    script: str | Path,
    arguments: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
    *,
    flatten: bool | None = None,
) -> dict[str, Any]:
    """Run a script as ``python script`` does, in this process.

    Args:
        script: Its file.
        arguments: Its command line.
        options: Keywords of ``gymnasium.make`` for environments of OpenEnv.
        flatten: Give it their observations as a vector of float32; None: where it builds dense
            networks, and not pictures.

    Returns:
        The script's global names.
    """
    read = Script(Path(script))
    if read.adapted:
        print(
            f"openenv_gym.cleanrl: {read.path.name} has lines that today's numpy refuses; they "
            f"were adapted: {', '.join(map(str, read.adapted))}.",
            file=sys.stderr,
        )
    argv, path = sys.argv, sys.path
    sys.argv = [str(script), *arguments]
    sys.path = [*read.folders, *path]
    try:
        with gymnasium_029(options, flattening=Flattening(flatten, dense=read.dense)):
            return read.run()
    finally:
        sys.argv, sys.path = argv, path


def _check(script: Path, arguments: Sequence[str], options: Mapping[str, Any]) -> None:
    """What can be known to be wrong before a script has imported torch and made its folders.

    Raises:
        OptionError: There is no such script, or a flag of ours stands behind it.
        RegistryError: There is no environment of that id.
        MissingDependencyError: Videos are asked for and cannot be written.
    """
    if not script.is_file():
        hint = " Options of ours come as --option NAME=VALUE." if "=" in script.name else ""
        raise OptionError(f"There is no script {script}.{hint}", script=str(script))
    for flag in {word.partition("=")[0] for word in arguments}.intersection(_OUR_FLAGS):
        if not _has_flag(script, flag):
            raise OptionError(
                f"{flag} stands behind the script, where it is the script's own, and {script.name} "
                f"has none of that name. Write it before the script: {flag} ... {script}.",
                script=str(script),
            )
    id = _value_of(_ID_FLAGS, arguments)
    if id is not None:
        try:
            ours = is_ours(id)
            gymnasium.spec(id.rpartition(":")[2])
        except (gymnasium.error.Error, ImportError) as error:
            raise RegistryError(
                f"There is no environment {id!r} ({error}). If another package registers it, name "
                "that: 'module:ns/Name-v0'.",
                id=id,
            ) from error
        if options and not ours:
            raise OptionError(
                f"--option is for environments of OpenEnv, and {id} is not one. To run it behind a "
                f"transport: --env-id openenv/Gymnasium-v0 with --option env_id={id}.",
                id=id,
            )
    if any(flag in arguments for flag in _VIDEO_FLAGS) and not importlib.util.find_spec("moviepy"):
        raise missing_package("--capture-video", "moviepy", "cleanrl")


def _has_flag(script: Path, flag: str) -> bool:
    """Whether a script has a flag: of argparse, or as the field of a dataclass that tyro reads."""
    name = flag.removeprefix("--").removeprefix("no-")
    source = script.read_text(encoding="utf-8", errors="replace")
    return re.search(rf"--{name}\b|^\s+{name}\s*:", source, re.MULTILINE) is not None


def _value_of(flags: Sequence[str], arguments: Sequence[str]) -> str | None:
    """The value of a flag on a command line that is not ours to parse."""
    for number, word in enumerate(arguments):
        flag, equals, value = word.partition("=")
        if flag in flags:
            return value if equals else next(iter(arguments[number + 1 :]), None)
    return None
