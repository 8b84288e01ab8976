"""The command ``openenv-gym``: one module a command, each loaded when it is called."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from openenv_gym.errors import OpenEnvGymError

_COMMANDS = {
    "list": "environments and transports that there are",
    "serve": "serve an environment",
    "play": "play an environment in the terminal",
    "demo": "play a short episode of each environment, in this process and in a container",
    "init": "begin an environment of your own",
    "validate": "check an environment of your own, or a server",
    "build": "build the Docker image of an environment",
    "push": "build the image of an environment, and push it to a registry",
    "bench": "measure what a step costs over each transport",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: Its words; by default those of the process.

    Returns:
        The exit code: 0, 1 where an error was printed, or what the command says further.
    """
    # No list(): once it ran, the command of that name is a name of this module.
    words = [*(sys.argv[1:] if arguments is None else arguments)]
    parser = argparse.ArgumentParser(
        prog="openenv-gym",
        description="Every OpenEnv environment as a gymnasium.Env.",
        epilog="Each command explains itself: openenv-gym COMMAND --help.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    # Only the chosen command is imported: a server's start-up time counts.
    chosen = next((word for word in words if word in _COMMANDS), None)
    run = None
    try:
        for name, summary in _COMMANDS.items():
            command = commands.add_parser(name, help=summary, description=summary)
            if name == chosen:
                module = importlib.import_module(f"openenv_gym.cli.{name}")
                module.add_arguments(command)
                run = module.run
        parsed = parser.parse_args(words)
        assert run is not None, "argparse let an unknown command pass"
        return int(run(parsed))
    except OpenEnvGymError as error:
        print(f"openenv-gym: {error}", file=sys.stderr)
        return 1
