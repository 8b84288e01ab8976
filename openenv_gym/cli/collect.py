"""``openenv-gym collect``: random episodes as a Minari dataset."""

from __future__ import annotations

import argparse
import importlib
import re
from typing import Any

import gymnasium

import openenv_gym
from openenv_gym import registry
from openenv_gym.cli.arguments import print_json
from openenv_gym.cli.record import add_what_to_play, check_counts, play, reach
from openenv_gym.errors import OptionError, missing_package


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_what_to_play(parser)
    parser.add_argument("dataset", help="id of the dataset in Minari: connect4/random-v0")
    parser.add_argument("--author", default="unknown", help="who made it")
    parser.add_argument("--author-email", default="unknown", metavar="EMAIL")
    parser.add_argument("--permalink", default="unknown", metavar="URL", help="of the code")


def run(arguments: argparse.Namespace) -> int:
    """Play, and store the dataset."""
    try:
        minari: Any = importlib.import_module("minari")
        importlib.import_module("openenv_gym.minari")  # texts in datasets
    except ImportError as error:
        raise missing_package("openenv-gym collect", "minari[hdf5]", None) from error
    if arguments.dataset in minari.list_local_datasets():
        raise OptionError(
            f"There is a dataset {arguments.dataset!r} here already: choose another id, or "
            f"minari delete {arguments.dataset}."
        )
    check_counts(arguments)
    id = _id(arguments.environment)
    collector: Any = minari.DataCollector(
        gymnasium.make(id, max_episode_steps=arguments.steps, **reach(arguments))
    )
    try:
        steps = play(collector, arguments)
        collector.create_dataset(
            dataset_id=arguments.dataset,
            eval_env=gymnasium.spec(id),
            algorithm_name="random legal actions",
            author=arguments.author,
            author_email=arguments.author_email,
            code_permalink=arguments.permalink,
            description=f"Recorded by openenv-gym collect {arguments.environment}.",
        )
    finally:
        collector.close()
    if arguments.json:
        counts = {"episodes": arguments.episodes, "steps": steps}
        print_json({"dataset": arguments.dataset, **counts})
    else:
        print(f"{arguments.dataset}: {arguments.episodes} episodes, {steps} steps")
    return 0


def _id(environment: str) -> str:
    """Return the id by which a dataset makes its environment again; an own one gets one here."""
    if environment in gymnasium.registry:
        return environment
    entry = registry.environment(environment)
    if entry.id is not None:
        return entry.id
    name = re.sub(r"[^A-Za-z0-9]+", "-", entry.name).strip("-")
    id = f"collected/{name}-v0"
    openenv_gym.register_environment(id, environment)
    return id
