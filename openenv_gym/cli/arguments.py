"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import json
from typing import Any

from openenv_gym.errors import OptionError


def add_options(parser: argparse.ArgumentParser, what: str = "option of the environment") -> None:
    """Add ``--option``, whose words :func:`options_of` reads.

    Args:
        parser: The parser to add it to.
        what: What is set by it.
    """
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"{what}; the value is JSON, or a text",
    )


def options_of(words: list[str]) -> dict[str, Any]:
    """Return the options in words of the form NAME=VALUE.

    Raises:
        OptionError: A word is not of this form.
    """
    options: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise OptionError(f"--option {word}: write NAME=VALUE.", option=word)
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def add_server(parser: argparse.ArgumentParser, which: str) -> None:
    """Add ``--url`` and ``--token``: a server that runs already.

    Args:
        parser: The parser to add them to.
        which: Which servers will do.
    """
    parser.add_argument("--url", help=f"a server that runs already{which}")
    parser.add_argument("--token", help="the server's token")


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``: what is printed is one value of JSON, as of :func:`print_json`."""
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")


def print_json(value: Any) -> None:
    """Print a value as JSON; what JSON does not know is shown as text."""
    print(json.dumps(value, indent=2, default=repr))
