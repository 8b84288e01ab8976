"""What a server offers: which environment, with which options, and what strangers may choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from openenv_gym import registry
from openenv_gym.errors import OptionError, RegistryError
from openenv_gym.options import check_allowed
from openenv_gym.registry import Entry
from openenv_gym.sessions.info_values import INFO_OPTION
from openenv_gym.sessions.mask_in_observation import OPTION
from openenv_gym.wire.messages import Open, OpenVector


@dataclass(frozen=True)
class Offer:
    """What a session may make.

    Attributes:
        served: The environment that is served; None for whatever is asked for.
        options: Options that the owner of the server has set; only the owner can override them.
        owner: The client is the owner.
        reveal: Show the client what the environment's own errors say. Where clients are strangers
            that stays in the log.
    """

    served: Entry | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    owner: bool = True
    reveal: bool = True

    def entry(self, request: Open | OpenVector) -> Entry:
        """Return what a request is to make.

        Raises:
            OptionError: It names no environment, and any is served.
            RegistryError: It names another environment than the one that is served.
        """
        served = self.served
        if not self.owner:
            served = _served_as(served, request.environment)
            return replace(served, actions=request.actions or served.actions)
        entry = served if request.environment is None else registry.environment(request.environment)
        if entry is None:
            raise OptionError(
                "No environment was named, and this session serves any: name one, or connect to "
                f"what serves one, by url= or image=.{_given(request)}"
            )
        if served is not None and entry.target != served.target:
            raise RegistryError(
                f"This server has the environment {served.name!r}, not {entry.name!r}. "
                f"Connect to another, or start one: openenv-gym serve {entry.name}.",
                served=served.name,
                wanted=entry.name,
            )
        actions = request.actions or (entry if served is None else served).actions
        known = {} if served is None else served.spaces
        spaces = {**known, **entry.spaces, **(request.spaces or {})}
        return replace(entry, spaces=spaces, actions=actions)

    def merge(self, entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options of an environment: those of the server, and the client's.

        Raises:
            OptionError: One of them is not for the client.
        """
        if not self.owner:
            # The form of what they get anybody may choose.
            form = {name: given[name] for name in given if name in (OPTION, INFO_OPTION)}
            own = {name: given[name] for name in given if name not in form}
            own = check_allowed(registry.load(entry), own, self.options, entry.name)
            given = {**own, **form}
        return {**self.options, **given}


def _given(request: Open | OpenVector) -> str:
    """Return which options there are: one may be a keyword that was misspelt."""
    lanes = request.options if isinstance(request, OpenVector) else [request.options]
    names = sorted({name for options in lanes for name in options})
    return f" The options {names} would go to the environment." if names else ""


def _served_as(served: Entry | None, name: str | None) -> Entry:
    """Return what a client gets who is not the owner: what is served, whatever they call it.

    The name is compared, never looked up: an answer must not depend on what this host has.

    Raises:
        RegistryError: It is another environment.
    """
    if served is not None and (name is None or served.is_called(name)):
        return served
    has = "no environment that was named" if served is None else f"the environment {served.name!r}"
    raise RegistryError(
        f"This server has {has}, not {name!r}. Connect to another server.",
        served=None if served is None else served.name,
        wanted=name,
    )
