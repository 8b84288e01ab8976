"""Resets with options that an environment may not know."""

from __future__ import annotations

import warnings
from typing import Any

import gymnasium

from openenv_gym.errors import OptionError


def lenient_reset(
    env: gymnasium.Env[Any, Any], seed: int | None, options: dict[str, Any] | None
) -> tuple[Any, dict[str, Any]]:
    """Reset without the options that the environment does not know, and warn about those.

    PettingZoo's own tests give an unknown option and require that it does no harm. Wrappers pass on
    an option that the user did not give as None, which causes no warning.

    Args:
        env: What is reset.
        seed: As of its own reset.
        options: Likewise.
    """
    given = options or {}
    try:
        return env.reset(seed=seed, options=options)
    except OptionError as error:
        known = error.fields.get("known", given)
        left = {key: value for key, value in given.items() if key in known}
        if len(left) == len(given):
            raise
        if any(value is not None for key, value in given.items() if key not in left):
            warnings.warn(f"{error} The unknown options were left out.", stacklevel=3)
        return env.reset(seed=seed, options=left)
