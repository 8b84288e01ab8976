"""``openenv-gym completion``: the script by which a shell completes the command line.

It is written once, so that completing starts no Python; argcomplete would start it at each Tab.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from openenv_gym import registry
from openenv_gym.errors import missing_package

SHELLS = ("bash", "zsh", "fish")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        'Prints the script. bash: eval "$(openenv-gym completion bash)" in ~/.bashrc. zsh: '
        "openenv-gym completion zsh >DIR/_openenv-gym, DIR being one of $fpath. fish: openenv-gym "
        "completion fish >~/.config/fish/completions/openenv-gym.fish"
    )
    parser.add_argument("shell", choices=SHELLS)


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    try:
        import shtab
    except ImportError as error:
        raise missing_package("Completion", "shtab", "completion") from error
    from openenv_gym.cli import COMMANDS, parsers

    parser, commands = parsers(*COMMANDS)
    for command in commands.values():
        for action in command._actions:
            if action.dest == "environment":
                action.choices = [*registry.ENVIRONMENTS]
            elif action.dest == "transport":
                action.choices = [*registry.TRANSPORTS]
            elif action.type is Path:
                kind = shtab.DIRECTORY if action.metavar == "DIR" else shtab.FILE
                vars(action)["complete"] = kind
    print(shtab.complete(parser, arguments.shell))
    return 0
