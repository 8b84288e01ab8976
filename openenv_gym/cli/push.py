"""``openenv-gym push``: an environment to a registry of images, or to Hugging Face as a Space."""

from __future__ import annotations

import argparse

from openenv_gym.cli.build import add_what_to_build, build, print_result
from openenv_gym.errors import OptionError
from openenv_gym.wire.progress_bar import progress_bar


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Builds the image of an environment and pushes it to a registry, from which others use it: "
        "transport='docker', transport_options={'image': NAME}; docker login gives the right to "
        "push. Or makes a Space of Hugging Face of it, or brings one up to date, which builds the "
        "image that serves, and a page to play: url='hf://user/name'; HF_TOKEN gives the right. "
        "Prints its name there."
    )
    add_what_to_build(parser)
    parser.add_argument(
        "name", nargs="?", help="of the image there: registry.example.com/team/maze:1.0"
    )
    parser.add_argument(
        "--registry", metavar="REGISTRY", help="push to REGISTRY/NAME, as the environment is called"
    )
    parser.add_argument("--image", help="push this image, which is here, instead of building one")
    parser.add_argument("--repo-id", metavar="USER/NAME", help="push to this Space of Hugging Face")
    parser.add_argument(
        "--private", action="store_true", help="only those who may see the Space can play there"
    )


def run(arguments: argparse.Namespace) -> int:
    """Push, and print the image's name with its digest, or the address of the Space."""
    places = [arguments.name, arguments.registry, arguments.repo_id]
    if sum(place is not None for place in places) != 1:
        raise OptionError(
            "Say where to push it, once: the name of the image, --registry REGISTRY, or --repo-id "
            "USER/NAME of a Space of Hugging Face."
        )
    if arguments.repo_id is not None:
        return _push_space(arguments)
    if arguments.private:
        raise OptionError("--private is for a Space, with --repo-id: leave it out.")
    from openenv_gym_transports.images.push import name_at, push_image

    name = arguments.name or name_at(arguments.registry, arguments.environment)
    image = arguments.image or build(arguments, name)
    with progress_bar(f"pushing {name}") as progress:
        pushed = push_image(image, name, progress=progress)
    print_result(arguments, image=pushed)
    return 0


def _push_space(arguments: argparse.Namespace) -> int:
    wrong = [name for name in ("image", "wheelhouse") if getattr(arguments, name) is not None]
    if wrong:
        raise OptionError(f"The hub builds the image of a Space: leave --{wrong[0]} out.")
    from openenv_gym_transports.images.space import push_space

    space = push_space(
        arguments.environment,
        arguments.repo_id,
        private=arguments.private,
        base_image=arguments.base_image,
        include=arguments.include,
    )
    print_result(arguments, space=space)
    return 0
