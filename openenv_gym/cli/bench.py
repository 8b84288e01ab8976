"""``openenv-gym bench``: measures what a step costs over each transport on this machine."""

from __future__ import annotations

import argparse
from typing import Any

from openenv_gym.errors import missing_package


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Steps environments over every transport, beside gymnasium without us and beside what "
        "the bytes alone cost, in turn. Prints a table; ratios within it can be quoted."
    )
    _suite().add_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Measure, and print the table."""
    return int(_suite().run(arguments))


def _suite() -> Any:
    try:
        from openenv_gym.cli.benchmark import suite
    except ImportError as error:
        raise missing_package("Measuring", error.name or str(error), "bench") from error
    return suite
