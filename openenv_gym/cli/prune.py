"""``openenv-gym prune``: end what runs for programs that are gone."""

from __future__ import annotations

import argparse

from openenv_gym_transports.running import remove_orphans

_LIMIT = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments: there are none."""


def run(arguments: argparse.Namespace) -> int:
    """End it, and print what was ended."""
    ended = remove_orphans(_LIMIT)
    for one in ended:
        print(f"ended {one.kind} {one.id} of {one.serves}, whose owner {one.owner} is gone")
    if not ended:
        print("Nothing to end: all that runs has an owner.")
    return 0
