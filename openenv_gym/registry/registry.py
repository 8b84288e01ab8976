"""Registry: names to ``module:Class`` strings; what they name is imported at first use.

This is the only place where the core knows of environments and transports, and it knows no more
than their names.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from typing import Any, NamedTuple

import gymnasium

from openenv_gym.errors import RegistryError, did_you_mean
from openenv_gym.registry.bundled import ENVIRONMENTS
from openenv_gym.registry.loading import main_name, name_of
from openenv_gym.registry.manifest import MANIFEST, Entry
from openenv_gym.registry.shadowing import check_shadowed

_GROUP = "openenv_gym.environments"
_TRANSPORT_GROUP = "openenv_gym.transports"


TRANSPORTS: Mapping[str, Entry] = MappingProxyType(
    {
        name: Entry(name, f"openenv_gym_transports.{name}:{cls}", extra=extra, summary=summary)
        for name, cls, extra, summary in (
            ("inprocess", "InProcessTransport", None, "in this process"),
            ("http", "HttpTransport", "server", "HTTP requests"),
            ("websocket", "WebSocketTransport", "server", "a WebSocket"),
            ("process", "ProcessTransport", None, "a process on this machine"),
            ("docker", "DockerTransport", "docker", "a hardened container"),
            ("ray", "RayTransport", "ray", "an actor on a Ray cluster"),
        )
    }
)
"""Transports of this package, by the name that ``transport=`` takes."""

REPLAY = Entry("replay", "openenv_gym_transports.replay:ReplayTransport", summary="a recording")
"""Plays a recording, so it is not one of those that run an environment."""

_further_transports: dict[str, Entry] = {}  # those of users, registered in this process

_IDS = {
    id: replace(entry, id=id, options=options, variants={}) if options else entry
    for entry in ENVIRONMENTS.values()
    for id, options in entry.ids().items()
}


def environment(name: str | Callable[..., Any]) -> Entry:
    """Return the environment of a name.

    Args:
        name: Short name, id, ``module:Class``, ``script.py:Class``, or the path of a folder with an
            ``openenv.yaml``, which begins with ``.``, ``/`` or ``~``. Models may stand behind the
            last three, where the class does not name them:
            ``module:Class[module:Action,module:Observation]``. The id of a variant is the
            environment with the options that it stands for. Or the class itself, or a function that
            makes the environment.

    Raises:
        RegistryError: There is no such environment.
        MissingDependencyError: There is no YAML parser for the folder's ``openenv.yaml``.
    """
    name = name_of(name)
    found = ENVIRONMENTS.get(name) or _IDS.get(name)
    if found is not None:
        return found
    target, models = _split(name)
    script = _from_script(target)
    if script is not None:
        return Entry(script + name[len(target) :], script, models=models)
    if target.startswith((".", "/", "~")):
        from openenv_gym.registry.folder import folder_entry

        entry = folder_entry(target)
        return replace(
            entry, name=entry.name + name[len(target) :], models={**entry.models, **models}
        )
    if ":" in target:
        return Entry(name, target, models=models)
    found = installed().get(name)
    if found is not None:
        return found
    raise _unknown("environment", name, [*ENVIRONMENTS, *_IDS, *installed()])


def resolve(
    wanted: str | Callable[..., Any] | None,
    options: Mapping[str, Any],
    keywords: Mapping[str, Any],
) -> tuple[str | None, dict[str, Any]]:
    """Return the name of what ``make`` is to make, and the options to make it with.

    Args:
        wanted: Name or class of the environment; None: what a server has.
        options: Options of the environment.
        keywords: Keywords of ``make`` by name; None where one was not given.

    Raises:
        RegistryError: There is no such environment.
        OptionError: One of the keywords may be meant for an option of the environment.
    """
    if wanted is None:
        return None, dict(options)
    entry = environment(wanted)
    check_shadowed(entry, keywords, options)
    return entry.name, {**entry.options, **options}


def _from_script(target: str) -> str | None:
    """Return a target in the script that runs, or in another, as other processes can name it."""
    module, _, attribute = target.rpartition(":")
    if module == "__main__":
        return f"{main_name()}:{attribute}"
    if module.endswith(".py"):
        return f"{os.path.abspath(os.path.expanduser(module))}:{attribute}"
    return None


_MODELS = re.compile(r"(.*)\[([^\[\],]*),([^\[\],]*)\]")


def _split(name: str) -> tuple[str, dict[str, str]]:
    """Return the environment, and the models that stand in brackets behind it."""
    found = _MODELS.fullmatch(name)
    if found is None:
        return name, {}
    target, *models = found.groups()
    sides = zip(("action", "observation"), models, strict=True)
    return target, {
        side: _from_script(model.strip()) or model.strip() for side, model in sides if model.strip()
    }


@cache
def installed() -> Mapping[str, Entry]:
    """Environments of other packages that are installed here, by id.

    A package brings them in the entry point group ``openenv_gym.environments``: the name is the id,
    the value ``module:Class``.
    """
    # Asking importlib.metadata, and importing it, takes 15 times as long as looking for the name of
    # the group, which mostly nobody has; and every import of openenv_gym asks.
    if not _has_group(_GROUP):
        return {}
    from importlib.metadata import entry_points

    found: dict[str, Entry] = {}
    for point in entry_points(group=_GROUP):
        target = f"{point.module}:{point.attr}"
        by = f"of the package {point.dist.name}" if point.dist is not None else ""
        found.setdefault(point.name, Entry(target, target, point.name, summary=by))
    return found


@cache
def installed_transports() -> Mapping[str, Entry]:
    """Return the transports of other packages that are installed here, by name.

    A package brings them in the entry point group ``openenv_gym.transports``.
    """
    if not _has_group(_TRANSPORT_GROUP):
        return {}
    from importlib.metadata import entry_points

    found: dict[str, Entry] = {}
    for point in entry_points(group=_TRANSPORT_GROUP):
        by = f"of the package {point.dist.name}" if point.dist is not None else ""
        entry = Entry(point.name, f"{point.module}:{point.attr}", summary=by)
        found.setdefault(point.name, entry)
    return found


def _has_group(group: str) -> bool:
    for place in sys.path:
        with suppress(OSError), os.scandir(place or os.curdir) as entries:
            for entry in entries:
                if entry.name.endswith((".dist-info", ".egg-info")):
                    with suppress(OSError), open(f"{entry.path}/entry_points.txt", "rb") as file:
                        if group.encode() in file.read():
                            return True
    return False


class Registered(NamedTuple):
    """What an id stands for.

    Attributes:
        environment: Short name or ``module:Class``.
        options: Keywords that the id stands for.
        max_episode_steps: After so many steps an episode is truncated.
    """

    environment: str
    options: dict[str, Any]
    max_episode_steps: int | None


def registered(id: str) -> Registered:
    """What an id stands for that is registered with gymnasium, or that this package knows.

    Raises:
        RegistryError: There is no such environment.
    """
    spec = gymnasium.registry.get(id)
    if spec is not None and "environment" in spec.kwargs:
        options = dict(spec.kwargs)
        options |= options.pop("options", {})
        return Registered(options.pop("environment"), options, spec.max_episode_steps)
    entry = environment(id)
    return Registered(entry.name, dict(entry.options), None)


def transport(name: str) -> Entry:
    """Return the transport of a name: of this package, of the user, or of another package.

    Raises:
        RegistryError: There is no transport of that name.
    """
    found = TRANSPORTS.get(name) or _further_transports.get(name)
    if found is not None:
        return found
    if name == REPLAY.name:
        return REPLAY
    found = installed_transports().get(name)
    if found is None:
        known = [*TRANSPORTS, REPLAY.name, *_further_transports, *installed_transports()]
        raise _unknown("transport", name, known)
    return found


def register_transport(name: str, target: str) -> None:
    """Give a transport of the user's own a name; the same name again replaces it.

    Raises:
        RegistryError: The name is that of a transport of this package, or the target is not a
            ``module:Class``.
    """
    if name in TRANSPORTS or name == REPLAY.name:
        raise RegistryError(
            f"The transport {name!r} is one of openenv-gym: register yours by another name.",
            name=name,
        )
    if not all(target.partition(":")):
        raise RegistryError(
            f"{target!r} does not name the class of a transport: give 'module:Class'.",
            name=name,
            target=target,
        )
    _further_transports[name] = Entry(name, target)


def _unknown(kind: str, name: str, known: list[str]) -> RegistryError:
    own = here = ""
    if kind == "environment":
        own = ", or 'module:Class' for one of your own, or the path of its folder: './thing_env'"
        if os.path.isfile(os.path.join(name, MANIFEST)):
            here = f" There is a folder of that name: write {os.path.join('.', name)!r}."
    listed = [one for one in known if "." not in one]  # the variants are too many to list
    return RegistryError(
        f"There is no {kind} {name!r}.{did_you_mean(name, known)}{here} "
        f"Known are {', '.join(listed)}{own}.",
        name=name,
        known=known,
    )
