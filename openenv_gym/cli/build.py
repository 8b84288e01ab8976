"""``openenv-gym build``: makes the image that the docker transport runs."""

from __future__ import annotations

import argparse
from pathlib import Path

from openenv_gym.cli.arguments import add_json, print_json
from openenv_gym.errors import OptionError
from openenv_gym.wire.progress_bar import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Makes the image that transport='docker' runs, from the packages that are "
        "installed here, so that the container runs the same code. Prints its name."
    )
    add_what_to_build(parser)
    parser.add_argument(
        "--tag", metavar="TAG", help="name of the image, for transport option image="
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help="make an image that serves the network when it is run, on port 8000: who has its "
        "token, OPENENV_GYM_TOKEN, or with OPENENV_GYM_OPEN=1 whoever reaches it",
    )
    parser.add_argument(
        "--context",
        metavar="DIR",
        type=Path,
        help="write what the image is built from into this folder, for another builder (docker "
        "buildx, kaniko), instead of building it",
    )


def add_what_to_build(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of an image that is built, to be used here or to be pushed."""
    parser.add_argument(
        "environment",
        help="name of a bundled environment; or your own, whose files are added: a folder, "
        "module:Class or script.py:Class",
    )
    parser.add_argument(
        "--base-image",
        metavar="IMAGE",
        help="what to build on (default: $OPENENV_GYM_BASE_IMAGE, else python:X.Y-slim, "
        "X.Y being the Python that runs here)",
    )
    parser.add_argument(
        "--wheelhouse",
        metavar="DIR",
        type=Path,
        help="folder of wheels: build from these, with no network at all "
        "(default: $OPENENV_GYM_WHEELHOUSE)",
    )
    parser.add_argument(
        "--include",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="a further Python file or package folder to add; may be repeated",
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build, and print the name of the image; or write what it is built from."""
    if arguments.context is not None:
        return _export(arguments)
    image = build(arguments, arguments.tag, serve=arguments.serve)
    print_result(arguments, image=image)
    return 0


def print_result(arguments: argparse.Namespace, **result: str) -> None:
    """Print what was made: as JSON with its name, else the thing alone."""
    if arguments.json:
        print_json(result)
    else:
        print(*result.values())


def _export(arguments: argparse.Namespace) -> int:
    if arguments.tag is not None:
        raise OptionError("With --context nothing is built here: leave --tag out.")
    from openenv_gym_transports.images.export import export_context

    export_context(
        arguments.context,
        arguments.environment,
        base_image=arguments.base_image,
        wheelhouse=arguments.wheelhouse,
        include=arguments.include,
        serve=arguments.serve,
    )
    print_result(arguments, context=str(arguments.context))
    return 0


def build(arguments: argparse.Namespace, tag: str | None, *, serve: bool = False) -> str:
    """Build what the arguments of :func:`add_what_to_build` say; return the image's name."""
    from openenv_gym_transports.images.build import build_image

    with progress_bar("sending what goes into the image") as progress:
        return build_image(
            arguments.environment,
            base_image=arguments.base_image,
            wheelhouse=arguments.wheelhouse,
            tag=tag,
            include=arguments.include,
            serve=serve,
            progress=progress,
        )
