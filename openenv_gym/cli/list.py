"""``openenv-gym list``: the environments and transports that there are."""

from __future__ import annotations

import argparse

from openenv_gym import registry
from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym.registry import ENVIRONMENTS, TRANSPORTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--all", action="store_true", help="with the ids of all variants")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print environments and transports."""
    environments = [*ENVIRONMENTS.values(), *registry.installed().values()]
    transports = [*TRANSPORTS.values(), *registry.installed_transports().values()]
    if arguments.json:
        listed = {
            "environments": [
                {
                    "name": entry.name,
                    "id": entry.id,
                    "extra": entry.extra,
                    "summary": entry.summary,
                    "variants": len(entry.variants),
                    **({"ids": [*entry.ids()]} if arguments.all else {}),
                }
                for entry in environments
            ],
            "transports": [
                {"name": entry.name, "extra": entry.extra, "summary": entry.summary}
                for entry in transports
            ],
        }
        print_json(listed)
        return 0
    print("Environments")
    for entry in environments:
        more = f" ({len(entry.variants)} variants)" if entry.variants and not arguments.all else ""
        print(f"  {entry.name:<12} {entry.id or '':<24} {entry.summary}{more}")
        if arguments.all:
            for id in [*entry.ids()][1:]:
                print(f"  {'':<12} {id}")
    print("Transports")
    for entry in transports:
        print(f"  {entry.name:<12} {entry.summary}")
    if not arguments.all:
        print("\nAll ids: openenv-gym list --all. One environment: openenv-gym info NAME.")
    return 0
