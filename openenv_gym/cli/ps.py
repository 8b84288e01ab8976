"""``openenv-gym ps``: the processes and containers that serve environments, and their owners."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym_transports.running import containers, processes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what runs."""
    found = processes() + containers()
    if arguments.json:
        print_json([asdict(one) for one in found])
        return 0
    if not found:
        print("Nothing runs that a transport has started.")
        return 0
    print(f"{'KIND':<10} {'ID':<14} {'OWNER':<16} SERVES")
    for one in found:
        whose = f"{one.owner} (gone)" if one.orphan else str(one.owner)
        print(f"{one.kind:<10} {one.id:<14} {whose:<16} {one.serves}")
    if any(one.orphan for one in found):
        print("\nWhat has no owner any more ends by itself soon, or at once: openenv-gym prune.")
    return 0
