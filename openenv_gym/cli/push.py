"""``openenv-gym push``: the image of an environment, to a registry."""

from __future__ import annotations

import argparse

from openenv_gym.cli.build import add_what_to_build, build, progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Builds the image of an environment and pushes it to a registry, from which others use it: "
        "transport='docker', transport_options={'image': NAME}. Prints its name there. "
        "docker login gives the right to push."
    )
    add_what_to_build(parser)
    parser.add_argument("name", help="of the image there: registry.example.com/team/maze:1.0")
    parser.add_argument("--image", help="push this image, which is here, instead of building one")


def run(arguments: argparse.Namespace) -> int:
    """Push, and print the image's name with its digest."""
    from openenv_gym_transports.images.push import push_image

    image = arguments.image or build(arguments, arguments.name)
    with progress_bar(f"pushing {arguments.name}") as progress:
        print(push_image(image, arguments.name, progress=progress))
    return 0
