"""The command ``openenv-gym``: one module for each command, loaded when it is called.

It is made with argparse: a process that imports typer takes three times as long to start.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from openenv_gym import __version__
from openenv_gym.errors import OpenEnvGymError, did_you_mean

COMMANDS = {
    "list": "show the environments and transports that there are",
    "info": "show what an environment has: Spaces, options, variants, container needs",
    "doctor": "show what works on this machine, and how to get the rest",
    "serve": "serve an environment",
    "play": "play an environment in the terminal",
    "record": "play episodes at random and record them in a file",
    "replay": "show a recording, or check that the environment still plays it",
    "collect": "play episodes at random and store them as a Minari dataset",
    "demo": "play a short episode of each environment, in this process and in a container",
    "init": "begin an environment of your own",
    "validate": "check an environment of your own, or a server",
    "build": "build the Docker image of an environment",
    "push": "build the image of an environment, and push it to a registry",
    "ps": "show what runs for programs that use openenv-gym, and who owns it",
    "prune": "end what runs for programs that are gone",
    "bench": "measure what a step costs over each transport",
    "completion": "print the script by which a shell completes openenv-gym",
}
"""Each command, and what it does."""

INCOMPLETE = 3
"""Exit code where nothing is wrong, but something is not installed here."""
_ENDINGS = """\
Each command explains itself: openenv-gym COMMAND --help.

exit codes:
  0    done
  1    an error, which was printed; or a check that failed
  2    wrong usage of the command line
  3    doctor, demo: nothing is wrong, but something is not installed here
  130  ended by Ctrl-C
  141  whoever read the output had enough: openenv-gym list | head
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Its words; by default those of the process.

    Returns:
        The exit code, as the help lists them.
    """
    if arguments is None:
        _see_current_folder()
    # Without list(): once it ran, the command of that name is a name of this module.
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    try:
        code = _run(words)
        sys.stdout.flush()
        return code
    except OpenEnvGymError as error:
        print(f"openenv-gym: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(file=sys.stderr)
        return 130
    except BrokenPipeError:  # openenv-gym list | head
        # Else the interpreter complains when it writes what is left.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def _run(words: list[str]) -> int:
    # Only the chosen command is imported: a server's start-up time counts.
    chosen = next((word for word in words if not word.startswith("-")), None)
    parser, commands = parsers(*([chosen] if chosen in COMMANDS else []))
    if chosen is not None and chosen not in COMMANDS:
        parser.error(f"there is no command {chosen!r}.{did_you_mean(chosen, COMMANDS)}")
    parsed, unknown = parser.parse_known_args(words)
    if unknown:
        command = commands.get(str(parsed.command), parser)
        command.error(f"unrecognized arguments: {' '.join(unknown)}.{_meant(command, unknown)}")
    if parsed.command is None:
        parser.print_help()
        return 0
    return int(importlib.import_module(f"openenv_gym.cli.{parsed.command}").run(parsed))


def parsers(
    *names: str,
) -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """Return the parser of the command line, and that of each command, by name.

    Args:
        *names: Commands whose arguments are added, for which their modules are imported.
    """
    parser = argparse.ArgumentParser(
        prog="openenv-gym",
        description="Every OpenEnv environment as a gymnasium.Env.",
        epilog=_ENDINGS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"openenv-gym {__version__}")
    added = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = added.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog="Exit codes: openenv-gym --help.",
        )
        if name in names:
            importlib.import_module(f"openenv_gym.cli.{name}").add_arguments(command)
    return parser, dict(added.choices)


def _meant(command: argparse.ArgumentParser, unknown: Sequence[str]) -> str:
    """Return the question whether another option was meant, if one is near."""
    known = [option for action in command._actions for option in action.option_strings]
    flags = [word.partition("=")[0] for word in unknown if word.startswith("-")]
    return next(filter(None, (did_you_mean(flag, known) for flag in flags)), "")


def _see_current_folder() -> None:
    """Let commands name modules of the current folder, such as ``acme.line:Line``.

    The folder comes last, so that no file in it hides a package that is installed. Python itself
    puts it first for ``python -m``, and leaves it out for ``python -P``.
    """
    if sys.flags.safe_path:
        return
    try:
        here = os.getcwd()
    except FileNotFoundError:
        return
    if sys.path[:1] in ([""], [here]):
        del sys.path[0]
    sys.path.append(here)
