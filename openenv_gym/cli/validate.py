"""``openenv-gym validate``: whether an environment, or a server, keeps the contract."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict

from openenv_gym.cli.arguments import add_options, add_server, options_of
from openenv_gym.errors import OptionError
from openenv_gym.testing.checks import Findings, check_environment, check_server

_MARKS = {"ok": "ok  ", "warning": "WARN", "failed": "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.description = (
        "Checks the contract in short: Spaces, seeds, refusals, the same episode in another "
        "process; or, of a server that runs, its routes and an episode. Exit code 1 where a check "
        "failed. openenv_gym.testing has the whole contract, for pytest."
    )
    parser.add_argument(
        "environment",
        nargs="?",
        help="folder, module:Class, name or id; it is run in this process",
    )
    add_server(parser, ", ours or OpenEnv's own")
    add_options(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(arguments: argparse.Namespace) -> int:
    """Checks, and prints what was found; 1 where something failed."""
    if (arguments.environment is None) == (arguments.url is None):
        raise OptionError("Name an environment, or a server by --url; one of them.")
    if arguments.url is not None:
        found = check_server(arguments.url, arguments.token)
    else:
        found = check_environment(arguments.environment, options_of(arguments.option))
    if arguments.json:
        told = {"passed": found.passed, "checks": [asdict(finding) for finding in found.all]}
        print(json.dumps(told, indent=2))
    else:
        _print(found)
    return 0 if found.passed else 1


def _print(found: Findings) -> None:
    for finding in found.all:
        print(f"{_MARKS[finding.verdict]}  {finding.check}")
        if finding.told:
            print("      " + finding.told.replace("\n", "\n      "))
    failed = sum(finding.verdict == "failed" for finding in found.all)
    print(f"{len(found.all)} checks, {failed} failed")
