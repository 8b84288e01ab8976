"""Registry: names to ``module:Class`` strings; what they name is imported at first use.

This is the only place where the core knows of environments and transports, and it knows no more
than their names.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from openenv_gym.errors import MissingDependencyError, RegistryError
from openenv_gym.variants import ATARI, OPENSPIEL, BROWSERGYM


@dataclass(frozen=True)
class Entry:
    """What a name stands for.

    Attributes:
        name: The short name, as ``serve`` takes it; for an environment of the user's own,
            ``module:Class``.
        target: ``module:Class``, or a function that makes one.
        id: The id that ``gymnasium.make`` takes, if it has one.
        extra: The extra of openenv-gym that installs what it needs.
        summary: One line on what it is.
        options: Options that the name stands for.
        variants: Options of further ids, by what stands in them behind the name and a dot: of
            ``openenv/Atari-v0`` the variant ``pong`` is ``openenv/Atari.pong-v0``.
    """

    name: str
    target: str
    id: str | None = None
    extra: str | None = None
    summary: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    variants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def ids(self) -> Mapping[str, Mapping[str, Any]]:
        """All its ids, and the options that each stands for."""
        if self.id is None:
            return {}
        stem, _, version = self.id.rpartition("-")
        found = {f"{stem}.{variant}-{version}": told for variant, told in self.variants.items()}
        return {self.id: self.options, **found}


def _bundled(
    name: str,
    target: str,
    id: str,
    summary: str,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
) -> Entry:
    home = f"openenv_gym_envs.{target}"
    return Entry(name, home, id, extra=name, summary=summary, variants=variants or {})


ENVIRONMENTS: Mapping[str, Entry] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            _bundled(
                "atari",
                "atari.environment:AtariEnvironment",
                "openenv/Atari-v0",
                "more than a hundred games of the Atari 2600",
                ATARI,
            ),
            _bundled(
                "browsergym",
                "browsergym.environment:BrowserGymEnvironment",
                "openenv/BrowserGym-v0",
                "tasks for agents that use a browser; MiniWoB++ runs offline",
                BROWSERGYM,
            ),
            _bundled(
                "chess",
                "chess.environment:ChessEnvironment",
                "openenv/Chess-v0",
                "chess against random, greedy, Stockfish or itself",
            ),
            _bundled(
                "connect4",
                "connect4.environment:Connect4Environment",
                "openenv/Connect4-v0",
                "four in a row on 6 x 7",
            ),
            _bundled(
                "echo",
                "echo.environment:EchoEnvironment",
                "openenv/Echo-v0",
                "says back what it is told",
            ),
            _bundled(
                "gymnasium",
                "gymnasium.environment:make",
                "openenv/Gymnasium-v0",
                "any registered gymnasium environment, isolated",
            ),
            _bundled(
                "openspiel",
                "openspiel.environment:OpenSpielEnvironment",
                "openenv/OpenSpiel-v0",
                "more than a hundred board, card and matrix games",
                OPENSPIEL,
            ),
            _bundled(
                "sumo",
                "sumo.environment:make",
                "openenv/SumoRL-v0",
                "traffic lights of one junction, or of all",
            ),
        )
    }
)
"""Environments that come with the package, by short name."""

TRANSPORTS: Mapping[str, Entry] = MappingProxyType(
    {
        name: Entry(name, f"openenv_gym_transports.{name}:{cls}", extra=extra, summary=summary)
        for name, cls, extra, summary in (
            ("inprocess", "InProcessTransport", None, "in this process"),
            ("http", "HttpTransport", "server", "HTTP requests"),
            ("websocket", "WebSocketTransport", "server", "a WebSocket"),
            ("process", "ProcessTransport", None, "a process on this machine"),
            ("docker", "DockerTransport", "docker", "a hardened container"),
        )
    }
)
"""Transports by the name that ``transport=`` takes."""

_IDS = {
    id: replace(entry, id=id, options=options) if options else entry
    for entry in ENVIRONMENTS.values()
    for id, options in entry.ids().items()
}


def environment(name: str) -> Entry:
    """The environment of a short name, an id, or ``module:Class``.

    That of a variant's id is the environment with the options that the id stands for.

    Raises:
        RegistryError: There is none.
    """
    found = ENVIRONMENTS.get(name) or _IDS.get(name)
    if found is not None:
        return found
    if ":" in name:
        return Entry(name, name)
    raise _unknown("environment", name, [*ENVIRONMENTS, *_IDS])


def transport(name: str) -> Entry:
    """The transport of a name.

    Raises:
        RegistryError: There is none.
    """
    found = TRANSPORTS.get(name)
    if found is None:
        raise _unknown("transport", name, list(TRANSPORTS))
    return found


def _unknown(kind: str, name: str, known: list[str]) -> RegistryError:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    own = ", or 'module:Class' for one of your own" if kind == "environment" else ""
    told = [one for one in known if "." not in one]  # the variants are too many to list
    return RegistryError(
        f"There is no {kind} {name!r}.{hint} Known are {', '.join(told)}{own}.",
        name=name,
        known=known,
    )


def load(entry: Entry) -> Callable[..., Any]:
    """Imports the class or function that an entry names.

    Raises:
        MissingDependencyError: A package that it needs is not installed.
        RegistryError: There is no such module or class.
    """
    module, _, attribute = entry.target.partition(":")
    try:
        loaded: Any = importlib.import_module(module)
    except ImportError as error:
        raise _import_error(entry, module, error) from error
    except (ValueError, TypeError) as error:
        if module and not module.startswith("."):
            raise
        raise RegistryError(
            f"{entry.target!r} names no module. Name a class as 'module:Class'.",
            target=entry.target,
        ) from error
    try:
        for part in attribute.split("."):
            loaded = getattr(loaded, part)
    except AttributeError as error:
        raise RegistryError(
            f"The module {module} has no {attribute}. Name a class as 'module:Class'.",
            target=entry.target,
        ) from error
    if not callable(loaded):
        raise RegistryError(f"{entry.target} is no class or function.", target=entry.target)
    made: Callable[..., Any] = loaded
    return made


def _import_error(entry: Entry, module: str, error: ImportError) -> Exception:
    if error.name is not None and (module == error.name or module.startswith(error.name + ".")):
        return RegistryError(
            f"There is no module {error.name!r} to take {entry.target} from: "
            f"searched {len(sys.path)} places of sys.path.",
            target=entry.target,
        )
    package = error.name
    if package is not None and sys.modules.get(package.partition(".")[0]) is None:
        package = package.partition(".")[0]  # not only a part of it is missing
    install = f'pip install "openenv-gym[{entry.extra}]"' if entry.extra else "install it"
    return MissingDependencyError(
        f"{entry.name} needs the package {package or error}, which is not installed here: "
        f"{install}.",
        name=entry.name,
        package=package,
        extra=entry.extra,
    )
