"""Makes any registered gymnasium environment, to be isolated."""

from __future__ import annotations

import importlib
from typing import Any

import gymnasium

from openenv_gym.errors import OptionError


def make(
    env_id: str, env_kwargs: dict[str, Any] | None = None, render_mode: str | None = None
) -> gymnasium.Env[Any, Any]:
    """Make a registered gymnasium environment, as ``gymnasium.make`` does.

    Its wrappers are on it (time limit, order enforcing), except for the checker, which watches the
    outer environment anyway.

    Args:
        env_id: Its id; ``"module:ns/Name-v0"`` imports the module first. For the owner of a server
            alone, as is what follows: an environment may take code and files by its keywords.
        env_kwargs: Its keywords.
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
