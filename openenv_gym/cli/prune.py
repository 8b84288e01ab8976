"""``openenv-gym prune``: end what runs for programs that are gone."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym_transports.running import remove_orphans

_LIMIT = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """End it, and print what was ended."""
    ended = remove_orphans(_LIMIT)
    if arguments.json:
        print_json([asdict(one) for one in ended])
        return 0
    for one in ended:
        print(f"ended {one.kind} {one.id} of {one.serves}, whose owner {one.owner} is gone")
    if not ended:
        print("Nothing to end: all that runs has an owner.")
    return 0
