"""Makes any registered gymnasium environment, to be isolated."""

from __future__ import annotations

import importlib
from typing import Annotated, Any

import gymnasium
from pydantic import AfterValidator, Field

from openenv_gym.errors import OptionError
from openenv_gym.models import ClientOption


def _of_gymnasium(env_id: str) -> str:
    spec = gymnasium.registry.get(env_id)
    if spec is None or not str(spec.entry_point).startswith("gymnasium.envs."):
        raise ValueError("it is not one of gymnasium's own environments")
    return env_id


_OfGymnasium = Annotated[
    str,
    Field(max_length=100, description="one of gymnasium's own"),
    AfterValidator(_of_gymnasium),
]


def make(
    env_id: Annotated[str, ClientOption(_OfGymnasium)],
    env_kwargs: dict[str, Any] | None = None,
    render_mode: str | None = None,
) -> gymnasium.Env[Any, Any]:
    """Make a registered gymnasium environment, as ``gymnasium.make`` does.

    Its wrappers are on it (time limit, order enforcing), except for the checker: a session checks
    each step anyway.

    Args:
        env_id: Its id; ``"module:ns/Name-v0"`` imports the module first. Clients of a server whose
            owner sets none may choose among gymnasium's own.
        env_kwargs: Its keywords. For the owner of a server alone: an environment may take code and
            files by them.
        render_mode: The mode to render in.

    Raises:
        OptionError: gymnasium cannot make it.
    """
    try:
        module, _, id = env_id.rpartition(":")
        if module:
            importlib.import_module(module)
        spec = gymnasium.spec(id)
        if spec.kwargs.keys() & (env_kwargs or {}).keys() & {"environment"}:
            raise TypeError("the id stands for an environment, and no other can take its place")
        return gymnasium.make(
            spec, render_mode=render_mode, disable_env_checker=True, **(env_kwargs or {})
        )
    except (gymnasium.error.Error, TypeError, ImportError) as error:
        raise OptionError(
            f"gymnasium cannot make {env_id!r} with {env_kwargs or {}}: {error}. If it is "
            "registered by an import, name the module too: 'module:ns/Name-v0'.",
            env_id=env_id,
            env_kwargs=env_kwargs,
        ) from error
