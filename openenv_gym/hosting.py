"""Hosting: makes an environment, and the host of the shape that it has."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Mapping
from typing import Any

import gymnasium

from openenv_gym import registry
from openenv_gym.entry import Entry
from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError, RegistryError
from openenv_gym.host import GymnasiumHost, Host, ModelHost
from openenv_gym.options import checked
from openenv_gym.stock.models import is_stock_class


def host(entry: Entry, options: Mapping[str, Any], render_mode: str | None) -> Host:
    """Makes an environment.

    Args:
        entry: A class derived from ``Environment``, ours or that of ``openenv.core``, or from
            ``gymnasium.Env``; or a function that makes an instance of one.
        options: Its options.
        render_mode: The mode to render in; ``"human"`` for the first that it has.

    Raises:
        OptionError: An option is unknown or wrong.
        MissingDependencyError: A package that it needs is not installed.
        RegistryError: It makes no environment.
    """
    make = registry.load(entry)
    try:
        takes_mode = "render_mode" in inspect.signature(make).parameters
    except ValueError as error:  # builtins have none
        raise RegistryError(f"{entry.target} makes no environment.", target=entry.target) from error
    keywords = checked(make, options, entry.name, reserved=frozenset({"render_mode"}))

    def made(mode: str | None) -> Any:
        return make(**keywords, render_mode=mode) if takes_mode else make(**keywords)

    environment = made(None if render_mode == "human" else render_mode)
    try:
        if isinstance(environment, Environment):
            modes = environment.metadata().get("render_modes", [])
            _check_mode(render_mode, modes, entry.name)
            environment.render_mode = _shown(render_mode, modes)
            return ModelHost(environment, entry.name)
        if isinstance(environment, gymnasium.Env):
            _check_mode(render_mode, environment.metadata.get("render_modes", []), entry.name)
            if takes_mode and render_mode == "human":
                # Only now that there is one it is known what it can render.
                mode = _shown(render_mode, environment.metadata.get("render_modes", []))
                environment.close()
                environment = made(mode)
            return GymnasiumHost(environment)
        if is_stock_class(type(environment)):
            from openenv_gym.stock.host import StockHost

            return StockHost(environment, entry)
    except BaseException:
        with contextlib.suppress(Exception):  # why it cannot be used matters more
            environment.close()
        raise
    raise RegistryError(
        f"{entry.target} makes a {type(environment).__name__}, which is no environment. Derive it "
        "from the Environment of openenv_gym or openenv.core, or from gymnasium.Env.",
        target=entry.target,
    )


def _check_mode(wanted: str | None, modes: list[str], name: str) -> None:
    if wanted not in (None, "human", *modes):
        told = ", ".join(map(repr, modes)) or "none: it shows nothing"
        raise OptionError(
            f"{name} has no render_mode={wanted!r}. It has {told}.", name=name, render_mode=wanted
        )


def _shown(wanted: str | None, modes: list[str]) -> str | None:
    """The mode to render in: for a human, who sits at the other end, the first there is."""
    if wanted != "human":
        return wanted
    return next((mode for mode in modes if mode != "human"), None)
