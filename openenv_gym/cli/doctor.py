"""``openenv-gym doctor``: what works on this machine, and how to get the rest."""

from __future__ import annotations

import argparse
import os
import platform
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from importlib import metadata

import openenv_gym
from openenv_gym import registry
from openenv_gym.cli import INCOMPLETE
from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym.errors import MissingDependencyError, OpenEnvGymError, missing_package
from openenv_gym.registry import Entry

_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")
_NAME = re.compile(r"[\w.-]+")
_OURS = {"all", "dev"}  # extras that stand for others


@dataclass(frozen=True)
class Finding:
    """What was found of one thing.

    Attributes:
        what: The thing.
        works: It works here.
        text: What there is; or what is missing, and how to get it.
    """

    what: str
    works: bool
    text: str


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Looks for all that environments and transports need: packages, programs, a Docker engine "
        "and an image to build on. Shows what works, and how to get what does not. Exit code "
        f"{INCOMPLETE} where something is missing."
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look, and print what was found."""
    findings = []
    for finding in look():
        findings.append(finding)
        if not arguments.json:
            print(f"{'ok  ' if finding.works else 'MISS'}  {finding.what:<24} {finding.text}")
    if arguments.json:
        print_json([asdict(finding) for finding in findings])
    else:
        missing = sum(not finding.works for finding in findings)
        print(f"\n{len(findings) - missing} of {len(findings)} work here")
    return 0 if all(finding.works for finding in findings) else INCOMPLETE


def look() -> Iterator[Finding]:
    """Yield what is found of each thing, one after the other."""
    python = f"Python {platform.python_version()} at {sys.executable}"
    yield Finding("openenv-gym", True, f"{openenv_gym.__version__}, {python}")
    for entry in registry.TRANSPORTS.values():
        yield _check(f"transport {entry.name}", partial(_transport, entry))
    yield _check("Docker engine", _engine)
    yield _check("base image", _base_image)
    for entry in registry.ENVIRONMENTS.values():
        yield _check(f"environment {entry.name}", partial(_environment, entry))
    for extra, packages in _extras().items():
        if extra not in _OURS and extra not in registry.ENVIRONMENTS:
            yield _check(f"extra {extra}", partial(_extra, extra, packages))


def _check(what: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, True, look())
    except Exception as error:  # whatever a package raises where it does not work
        text = str(error) if isinstance(error, OpenEnvGymError) else f"{error!r:.500}"
        return Finding(what, False, text)


def _transport(entry: Entry) -> str:
    registry.load(entry)
    if entry.extra == "server":
        _extra("server", _extras().get("server", []))
    return entry.summary


def _engine() -> str:
    from openenv_gym_transports.containers.engine import connect

    client = connect(timeout=10)
    try:
        version = client.version()
        return f"{version.get('Version')} at {os.environ.get('DOCKER_HOST', 'its usual socket')}"
    finally:
        client.close()


def _base_image() -> str:
    import docker.errors

    from openenv_gym_transports.containers.engine import connect
    from openenv_gym_transports.images.build import DEFAULT_BASE_IMAGE

    name = os.environ.get("OPENENV_GYM_BASE_IMAGE") or DEFAULT_BASE_IMAGE
    client = connect(timeout=10)
    try:
        client.images.get(name)
    except docker.errors.ImageNotFound:
        raise MissingDependencyError(
            f"{name} is not here. It is pulled when the first image is built; without a network "
            "load one of your own, and name it in OPENENV_GYM_BASE_IMAGE.",
            image=name,
        ) from None
    finally:
        client.close()
    return name


def _environment(entry: Entry) -> str:
    """Return what is found for an environment: its packages, and what its ``doctor.py`` checks."""
    registry.load(entry)
    doctor = registry.part(entry, "doctor")
    found = [] if doctor is None else [doctor.check()]
    return ", ".join(["its packages", *found])


def _extra(extra: str, packages: list[str]) -> str:
    for package in packages:
        try:
            metadata.version(package)
        except metadata.PackageNotFoundError:
            raise missing_package(f"The extra {extra}", package, extra) from None
    return ", ".join(packages) or "no packages"


def _extras() -> dict[str, list[str]]:
    """Return the packages of each extra of openenv-gym, as its metadata names them."""
    found: dict[str, list[str]] = {}
    try:
        lines = metadata.requires("openenv-gym") or []
    except metadata.PackageNotFoundError:  # a checkout that was not installed
        return found
    for line in lines:
        extra, name = _EXTRA.search(line), _NAME.match(line)
        if extra is not None and name is not None and name[0] != "openenv-gym":
            found.setdefault(extra[1], []).append(name[0])
    return found
