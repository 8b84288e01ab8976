"""``openenv-gym validate``: whether an environment, or a server, keeps the contract."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from openenv_gym.cli.arguments import add_json, add_options, add_server, options_of, print_json
from openenv_gym.errors import OptionError
from openenv_gym.server.process import check_limit
from openenv_gym.testing.checks import Finding, check_server
from openenv_gym.testing.watched import LIMIT, check_watched

_MARKS = {"ok": "ok  ", "warning": "WARN", "failed": "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Checks the contract in short: Spaces, seeds, refusals, the same episode in another "
        "process; or, of a server that runs, its routes and an episode. Exit code 1 where a check "
        "failed. openenv_gym.testing has the whole contract, for pytest."
    )
    parser.add_argument(
        "environment",
        nargs="?",
        help="folder, module:Class, name or id; it is run in a process of its own",
    )
    add_server(parser, ", ours or OpenEnv's own")
    add_options(parser)
    parser.add_argument(
        "--timeout",
        type=float,
        default=LIMIT,
        metavar="SECONDS",
        help=f"end the environment where one call of it takes longer ({LIMIT:g})",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Check, and print what was found; 1 where something failed."""
    if (arguments.environment is None) == (arguments.url is None):
        raise OptionError("Name an environment, or a server by --url; one of them.")
    check_limit("timeout", arguments.timeout, f"--timeout {arguments.timeout}")
    show = None if arguments.json else _print
    if arguments.url is not None:
        found = check_server(arguments.url, arguments.token, show, options_of(arguments.option))
    else:
        found = check_watched(
            arguments.environment,
            options_of(arguments.option),
            limit=arguments.timeout,
            show=show,
        )
    if arguments.json:
        report = {"passed": found.passed, "checks": [asdict(finding) for finding in found.all]}
        print_json(report)
    else:
        failed = sum(finding.verdict == "failed" for finding in found.all)
        print(f"{len(found.all)} checks, {failed} failed")
    return 0 if found.passed else 1


def _print(finding: Finding) -> None:
    print(f"{_MARKS[finding.verdict]}  {finding.check}", flush=True)
    if finding.reason:
        print("      " + finding.reason.replace("\n", "\n      "), flush=True)
