"""Hosting: makes an environment, and the host of the shape that it has."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium
from gymnasium.spaces import Space

from openenv_gym import registry
from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError, RegistryError, UnknownOptionError
from openenv_gym.options import checked, parameters_of
from openenv_gym.registry import Entry
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.exports import Declared
from openenv_gym.sessions.gymnasium_adapter import GymnasiumAdapter
from openenv_gym.sessions.info_values import INFO_OPTION, TravellingInfos, take_info_option
from openenv_gym.sessions.mask_in_observation import MaskInObservation, take_option
from openenv_gym.sessions.model_adapter import ModelAdapter, with_pictures
from openenv_gym.sessions.openenv_core.models import is_openenv_class
from openenv_gym.spaces.describe import parse
from openenv_gym.spaces.guesses import split_mode
from openenv_gym.wire.messages import Open, OpenVector

MakeAdapter = Callable[[Entry, Mapping[str, Any], str | None], Adapter]
"""Makes the adapter of an environment, its options and its render mode, as :func:`make_adapter`."""

RESERVED = frozenset({"render_mode"})
"""Parameters of an environment's constructor that are not options."""


def make_for(
    request: Open | OpenVector, entry: Entry, options: Mapping[str, Any], make: MakeAdapter
) -> Adapter:
    """Make what a request asks for, with the options that change what any adapter returns.

    Args:
        request: Its Spaces and its choice of actions must be those that the environment has.
        entry: What is to be made.
        options: The environment's own, and those of every environment: ``mask_in_observation``
            and ``info``.
        make: Makes the adapter of the environment's own options.

    Raises:
        OptionError: An option, a Space or the choice of actions does not fit.
        SpaceError: A description of a Space is not valid.
    """
    masked, options = take_option(options)
    infos = "strict"
    if INFO_OPTION in options:
        own = INFO_OPTION in parameters_of(registry.load(entry))
        infos, options = take_info_option(options, own)
    adapter = make(entry, options, request.render_mode)
    try:
        check_spaces(adapter, request, entry.name)
        check_actions(adapter, entry)
        if infos != "strict":
            adapter = TravellingInfos(adapter, text=infos == "text")
        return MaskInObservation(adapter, entry.name) if masked else adapter
    except BaseException:
        with contextlib.suppress(Exception):  # what is wrong with the request matters more
            adapter.close()
        raise


def make_adapter(entry: Entry, options: Mapping[str, Any], render_mode: str | None) -> Adapter:
    """Make an environment.

    Args:
        entry: A class derived from ``Environment``, ours or that of ``openenv.core``, or from
            ``gymnasium.Env``; or a function that makes an instance of one.
        options: Its options.
        render_mode: The mode to render in; ``"human"`` for the first that it has. With a question
            mark behind it, as in ``"ansi?"``, only if it has that.

    Raises:
        OptionError: An option is unknown or wrong.
        MissingDependencyError: A package that it needs is not installed.
        RegistryError: It makes no environment.
    """
    make = registry.load(entry)
    _check_target(make, entry)
    try:
        takes_mode = "render_mode" in inspect.signature(make).parameters
    except ValueError as error:  # builtins have none
        raise RegistryError(f"{entry.target} makes no environment.", target=entry.target) from error
    keywords = checked(make, options, entry.name, reserved=RESERVED)

    def made(mode: str | None) -> Any:
        return make(**keywords, render_mode=mode) if takes_mode else make(**keywords)

    # Only once there is one it is known what it can render.
    undecided = render_mode is not None and (render_mode == "human" or render_mode.endswith("?"))
    environment = made(None if undecided else render_mode)
    try:
        if isinstance(environment, Environment):
            own = list(environment.metadata().get("render_modes", []))
            mode = _chosen(render_mode, with_pictures(own), entry.name)
            environment.render_mode = mode if mode is None or mode in own else "ansi"
            return ModelAdapter(environment, entry.name, mode, entry.exports)
        if isinstance(environment, gymnasium.Env):
            modes = environment.metadata.get("render_modes", [])
            mode = _chosen(render_mode, modes, entry.name)
            if takes_mode and undecided and mode is not None:
                environment.close()
                environment = made(mode)
            exports = entry.exports or _own_exports(environment)
            given, _ = split_mode(entry.spaces)
            spaces = {name: parse(one) for name, one in given.items() if one is not None}
            return GymnasiumAdapter(environment, exports, spaces)
        if is_openenv_class(type(environment)):
            _chosen(render_mode, [], entry.name)
            return _core_adapter(environment, entry)
    except BaseException:
        with contextlib.suppress(Exception):  # why it cannot be used matters more
            environment.close()
        raise
    raise RegistryError(
        f"{entry.target} makes a {type(environment).__name__}, which is not an environment. Derive "
        "it from the Environment of openenv_gym or openenv.core, or from gymnasium.Env.",
        target=entry.target,
    )


def calls_tools(made: Any, entry: Entry) -> bool:
    """Return whether what an entry names is a class whose actions call tools."""
    if not is_openenv_class(made):
        return False
    from openenv_gym.sessions.openenv_core.tools import is_tool_class

    return is_tool_class(made, entry)


def _own_exports(environment: gymnasium.Env[Any, Any]) -> Declared:
    """Return what the author of a ``gymnasium.Env`` exports, by an attribute of its class."""
    declared: Declared = getattr(type(environment.unwrapped), "exports", ())
    return declared


def _core_adapter(environment: Any, entry: Entry) -> Adapter:
    """Return the adapter of an environment of ``openenv.core``."""
    from openenv_gym.sessions.openenv_core.adapter import OpenEnvCoreAdapter
    from openenv_gym.sessions.openenv_core.tools import CoreToolEnvironment, is_tool_class
    from openenv_gym.sessions.tools import ToolAdapter

    if is_tool_class(type(environment), entry):
        tools = CoreToolEnvironment(environment, entry)
        try:
            return ToolAdapter(tools, entry.actions)
        except BaseException:
            tools.close()
            raise
    return OpenEnvCoreAdapter(environment, entry)


def check_actions(adapter: Adapter, entry: Entry) -> None:
    """Check that a form of actions was chosen for an environment whose actions call tools only.

    Raises:
        OptionError: It was chosen for another.
    """
    if entry.actions is not None and "tools" not in adapter.metadata:
        raise OptionError(
            f"actions={entry.actions!r} is for environments whose actions call tools, which those "
            f"of {entry.name} do not: leave it out.",
            actions=entry.actions,
        )


def _check_target(make: Any, entry: Entry) -> None:
    """Refuse, before it is called, what is not the class of an environment.

    A function that makes one is let through: only the owner of a server can name it.
    """
    while isinstance(make, functools.partial):
        make = make.func
    if isinstance(make, type):
        if issubclass(make, Environment | gymnasium.Env) or is_openenv_class(make):
            return
        kind = "class"
    elif inspect.isroutine(make) and not inspect.isbuiltin(make):
        return
    else:
        kind = type(make).__name__
    raise RegistryError(
        f"The {kind} {entry.target} is not an environment. Derive it from the Environment of "
        "openenv_gym or openenv.core, or from gymnasium.Env; or name a function that makes one.",
        target=entry.target,
    )


def check_spaces(adapter: Adapter, request: Open | OpenVector, name: str) -> None:
    """Check that the Spaces that a client gives are those that the environment has.

    They are where the client's own give bounds to an environment of ``openenv.core``. Any other has
    its own, as has one that somebody else serves.

    Args:
        adapter: The environment.
        request: Has descriptions by the name of the field, or ``"action.name"``, where None means
            that it has no Space; and those of the whole spaces.
        name: Of the environment, for errors.

    Raises:
        OptionError: One is another, or of a field that there is not.
        SpaceError: One describes no Space.
    """
    wholes = (
        ("action_space", request.action_space, adapter.action_space),
        ("observation_space", request.observation_space, adapter.observation_space),
    )
    for keyword, description, space in wholes:
        if description is not None and parse(description) != space:
            raise OptionError(
                f"{keyword}= is {parse(description)!r:.200}; but {name} has its own, which is "
                f"{space!r:.200}. Leave it out to take that.",
                environment=name,
            )
    stranger = request.for_stranger
    given, _ = split_mode(request.spaces if stranger is None else stranger)
    fields = adapter.field_spaces() if given else {}
    for field, reported in given.items():
        places = [place for place in fields if field in (place, place.partition(".")[2])]
        if not places:
            known = ", ".join(fields) or "none that has a name"
            raise OptionError(
                f"spaces= names {field!r}, which is not a field of {name}. It has {known}.",
                field=field,
                known=[*fields],
            )
        wanted = None if reported is None else parse(reported)
        for place in places:
            if fields[place] != wanted:
                raise OptionError(
                    f"spaces= says that {place} of {name} {_shown(wanted)}; but by its models, or "
                    f"by who serves it, it {_shown(fields[place])}. Leave it out to take that.",
                    field=place,
                )


def _shown(space: Space[Any] | None) -> str:
    return "is in no Space" if space is None else f"is in the Space {space!r:.200}"


def _chosen(wanted: str | None, modes: list[str], name: str) -> str | None:
    """The mode to render in: for a human, who sits at the other end, the first there is.

    Raises:
        OptionError: There is none such.
        UnknownOptionError: There is none at all.
    """
    if wanted is None:
        return None
    asked = wanted.removesuffix("?")
    given = [mode for mode in modes if mode != "human"]
    found = next((mode for mode in given if asked in ("human", mode)), None)
    if found is None and asked == wanted:
        reported = ", ".join(map(repr, given)) or "none: it shows nothing"
        # Trainers try a mode, and make it without one where that is an unknown keyword.
        raise (OptionError if given else UnknownOptionError)(
            f"{name} has no render_mode={wanted!r}. It has {reported}.",
            name=name,
            render_mode=wanted,
        )
    return found
