"""Every OpenEnv environment as a ``gymnasium.Env``, over the transport of your choice.

::

    import gymnasium as gym
    import openenv_gym                                      # registers openenv/*

    env = gym.make("openenv/Chess-v0")                      # in this process: fastest
    env = gym.make("openenv/Chess-v0", transport="docker")  # in a hardened container

Importing this registers the ids of the bundled environments, as strings, and nothing else: what
they need is loaded when it is used first.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gymnasium as _gymnasium

from openenv_gym import registry as _registry

if TYPE_CHECKING:
    from openenv_gym.env import OpenEnvGym as OpenEnvGym
    from openenv_gym.env.record import record as record
    from openenv_gym.environment import Environment as Environment
    from openenv_gym.errors import OpenEnvGymError as OpenEnvGymError
    from openenv_gym.models import Action as Action
    from openenv_gym.models import Array as Array
    from openenv_gym.models import Choice as Choice
    from openenv_gym.models import ClientOption as ClientOption
    from openenv_gym.models import Info as Info
    from openenv_gym.models import LegalActions as LegalActions
    from openenv_gym.models import Observation as Observation
    from openenv_gym.models import State as State
    from openenv_gym.server.app import create_app as create_app
    from openenv_gym.spaces.json_text import JsonText as JsonText
    from openenv_gym.spaces.numbers import Numbers as Numbers
    from openenv_gym.spaces.pattern_text import PatternText as PatternText
    from openenv_gym.spaces.stand_ins import register_space as register_space
    from openenv_gym.spaces.utf8 import Utf8 as Utf8
    from openenv_gym.transport import Transport as Transport

__version__ = "0.1.0"

__all__ = [
    "Action",
    "Array",
    "Choice",
    "ClientOption",
    "Environment",
    "Info",
    "JsonText",
    "LegalActions",
    "Numbers",
    "Observation",
    "OpenEnvGym",
    "OpenEnvGymError",
    "PatternText",
    "State",
    "Transport",
    "Utf8",
    "create_app",
    "record",
    "register_environment",
    "register_space",
    "register_transport",
]

_HOMES = {
    "Action": "models",
    "Array": "models",
    "Choice": "models",
    "ClientOption": "models",
    "Environment": "environment",
    "Info": "models",
    "JsonText": "spaces.json_text",
    "LegalActions": "models",
    "Numbers": "spaces.numbers",
    "Observation": "models",
    "OpenEnvGym": "env",
    "OpenEnvGymError": "errors",
    "PatternText": "spaces.pattern_text",
    "State": "models",
    "Transport": "transport",
    "Utf8": "spaces.utf8",
    "create_app": "server.app",
    "record": "env.record",
    "register_space": "spaces.stand_ins",
}

_ENTRY_POINT = "openenv_gym.env:OpenEnvGym"
_VECTOR_ENTRY_POINT = "openenv_gym.vector:OpenEnvVectorEnv"


def __getattr__(name: str) -> Any:
    """Loads a public name at its first use: Pydantic alone would double the cost of the import."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'openenv_gym' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"openenv_gym.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def register_environment(
    id: str,
    entry_point: str | Callable[..., Any],
    *,
    action: str | type | None = None,
    observation: str | type | None = None,
    spaces: dict[str, Any] | str | None = None,
    max_episode_steps: int | None = None,
    nondeterministic: bool = False,
    options: Mapping[str, Any] | None = None,
    **further: Any,
) -> None:
    """Register an environment of your own with gymnasium, for every transport.

    Args:
        id: What ``gymnasium.make`` takes: ``"acme/Thing-v0"``.
        entry_point: A subclass of :class:`Environment`, or of that of ``openenv.core``, or of
            ``gymnasium.Env``, or its name, ``"module:Class"``; or the path of a folder with an
            ``openenv.yaml``. A server that is started for it imports it, so it must be there too.
        action: The action model, or its name, where a class of ``openenv.core`` does not name it.
        observation: Likewise the observation model.
        spaces: Spaces of fields that its models do not bound, by name, or their descriptions; None
            sends a field of the observation to ``info``. Or ``"strict"``, as with ``make``. Whoever
            serves it for others registers it with the same, and gives the id to
            :func:`create_app`.
        max_episode_steps: After so many steps an episode is truncated.
        nondeterministic: The same seed may give another episode.
        options: Options of the environment; ``make`` can override them.
        **further: Likewise, where their names are not keywords of ``make``.

    Raises:
        OptionError: An option is called like a keyword of ``make``, and is not in ``options``.
        RegistryError: The class cannot be imported by its name, or there is no such environment
            or folder. A module that is missing is known at ``make`` only.
    """
    environment = _registry.name_of(entry_point)
    if action or observation:
        models = (_registry.name_of(model or "") for model in (action, observation))
        environment = f"{environment}[{','.join(models)}]"
    _registry.environment(environment)  # a wrong name is an error here, not at make()
    kwargs = _registry.make_keywords({**further}, options, id)
    if spaces is not None:
        from openenv_gym.spaces.guesses import requested_spaces

        kwargs["spaces"] = requested_spaces(spaces)
    _gymnasium.register(
        id=id,
        entry_point=_ENTRY_POINT,
        vector_entry_point=_VECTOR_ENTRY_POINT,
        max_episode_steps=max_episode_steps,
        nondeterministic=nondeterministic,
        # The session does both, with errors that say more; after a reset that failed, the checker
        # of gymnasium 1.4 fails at every later step.
        order_enforce=False,
        disable_env_checker=True,
        kwargs={"environment": environment, **kwargs},
    )


def register_transport(name: str, target: str) -> None:
    """Register a transport of your own: ``make(..., transport=name)`` takes it then.

    A package brings its transports in the entry point group ``openenv_gym.transports`` instead.

    Args:
        name: Its name.
        target: ``"module:Class"`` of a subclass of :class:`Transport`, imported at its first use.

    Raises:
        RegistryError: The name is that of a transport of openenv-gym.
    """
    _registry.register_transport(name, target)


REMOTE_ID = "openenv/Remote-v0"
"""Whatever environment the server at ``url=`` has."""

if REMOTE_ID not in _gymnasium.registry:
    _gymnasium.register(
        id=REMOTE_ID,
        entry_point=_ENTRY_POINT,
        vector_entry_point=_VECTOR_ENTRY_POINT,
        order_enforce=False,
        disable_env_checker=True,
    )

for _entry in (*_registry.ENVIRONMENTS.values(), *_registry.installed().values()):
    for _id, _options in _entry.ids().items():
        if _id not in _gymnasium.registry:
            register_environment(_id, _entry.name, **_options)
