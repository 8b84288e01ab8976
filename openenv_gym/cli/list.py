"""``openenv-gym list``: what there is."""

from __future__ import annotations

import argparse
import json

from openenv_gym.registry import ENVIRONMENTS, TRANSPORTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Prints environments and transports."""
    if arguments.json:
        told = {
            "environments": [
                {"name": e.name, "id": e.id, "extra": e.extra, "summary": e.summary}
                for e in ENVIRONMENTS.values()
            ],
            "transports": [
                {"name": t.name, "extra": t.extra, "summary": t.summary}
                for t in TRANSPORTS.values()
            ],
        }
        print(json.dumps(told, indent=2))
        return 0
    print("Environments")
    for entry in ENVIRONMENTS.values():
        print(f"  {entry.name:<12} {entry.id or '':<24} {entry.summary}")
    print("Transports")
    for entry in TRANSPORTS.values():
        print(f"  {entry.name:<12} {entry.summary}")
    return 0
