"""``openenv-gym info``: what an environment has."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from openenv_gym import registry
from openenv_gym.cli.arguments import add_json, add_options, options_of, print_json
from openenv_gym.errors import OpenEnvGymError

_SHOWN = 5  # variants


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.description = (
        "Shows the Spaces of an environment, its options with their types and defaults, its "
        "variants, and what it needs of a container. It is made in this process, with the options "
        "given; where it cannot be made, the reason stands in the place of its Spaces."
    )
    parser.add_argument("environment", help="name, id, module:Class or folder of the environment")
    add_options(parser)
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Print what the environment has."""
    info = describe(arguments.environment, options_of(arguments.option))
    if arguments.json:
        print_json(info)
    else:
        _print(info)
    return 0


def describe(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an environment has, in values of JSON.

    Args:
        name: Name, id, ``module:Class`` or folder of the environment.
        options: Options to make it with.

    Raises:
        RegistryError: There is no such environment.
        MissingDependencyError: A package that it needs is not installed.
    """
    # Here, since they load pydantic, of which the command list has no need.
    from openenv_gym.options import list_options
    from openenv_gym.sessions.make import RESERVED

    known = registry.registered(name)
    entry = registry.environment(known.environment)
    info: dict[str, Any] = {
        "name": entry.name,
        "id": entry.id if known.max_episode_steps is None else name,
        "summary": entry.summary,
        "extra": entry.extra,
        "target": entry.target,
    }
    stands_for = {**entry.options, **known.options}
    info |= {"stands_for": stands_for} if stands_for else {}
    info |= _spaces(name, options)
    info["options"] = [
        option._asdict() for option in list_options(registry.load(entry), reserved=RESERVED)
    ]
    info["variants"] = [*entry.ids()][1:]
    info["container"] = dict(registry.container_needs(entry)[0])
    return info


def _spaces(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    from openenv_gym.env import OpenEnvGym
    from openenv_gym.spaces.describe import describe as described

    known = registry.registered(name)
    try:
        env = OpenEnvGym(
            known.environment,
            transport="inprocess",
            spaces=known.options.pop("spaces", None),
            options={**known.options, **options},
        )
    except OpenEnvGymError as error:
        return {"problem": str(error)}
    with closing(env):
        return {
            "action_space": described(env.action_space),
            "observation_space": described(env.observation_space),
            "spaces": {
                "action": str(env.action_space),
                "observation": str(env.observation_space),
            },
            "has_mask": env.link.description.has_mask,
            "metadata": dict(env.metadata),
        }


def _print(info: dict[str, Any]) -> None:
    print(f"{info['id'] or info['name']}: {info['summary'] or info['target']}")
    if info["extra"]:
        print(f'  pip install "openenv-gym[{info["extra"]}]"')
    if "stands_for" in info:
        print(f"  stands for the options {_options_text(info['stands_for'])}")
    print("\nSpaces")
    if "problem" in info:
        _print_row("unknown", info["problem"])
    else:
        _print_row("action", info["spaces"]["action"])
        _print_row("observation", info["spaces"]["observation"])
        _print_row("action mask", "yes" if info["has_mask"] else "no")
        modes = info["metadata"].get("render_modes", [])
        _print_row("render modes", ", ".join(modes) or "none")
    print("\nOptions")
    for option in info["options"]:
        default = "required" if option["required"] else f"= {option['default']!r}"
        _print_row(option["name"], f"{option['type']} {default}")
    if not info["options"]:
        print("  none")
    if info["variants"]:
        print(f"\nVariants ({len(info['variants'])})")
        for id in info["variants"][:_SHOWN]:
            print(f"  {id}")
        if len(info["variants"]) > _SHOWN:
            print("  ... all of them: openenv-gym list --all")
    print("\nContainer, beyond the strict default")
    for need, value in info["container"].items():
        _print_row(need, ", ".join(value) if isinstance(value, list) else str(value))
    if not info["container"]:
        print("  nothing")


def _options_text(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _print_row(name: str, text: str) -> None:
    lines = textwrap.wrap(text, 100, break_long_words=False) or [""]
    print(f"  {name:<20} {lines[0]}")
    for line in lines[1:]:
        print(f"  {'':<20} {line}")
