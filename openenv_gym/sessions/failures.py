"""The errors that report what an environment's own code raised, or an action outside its Space."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np
from gymnasium.spaces import Space

from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    OpenEnvGymError,
    SpaceError,
)
from openenv_gym.spaces.action_check import misfit

__all__ = ["action_error", "failure", "hidden_failure"]

_log = logging.getLogger(__name__)


def failure(error: Exception, *, reveal: bool, lane: int | None = None) -> OpenEnvGymError:
    """Return the error that reports one raised by the environment's code.

    Args:
        error: What was raised; an error of this package, other than of Spaces, is returned itself.
        reveal: The client may see the text and the traceback; else they go to the log.
        lane: The lane whose environment it was, if any.
    """
    if isinstance(error, OpenEnvGymError) and not isinstance(error, SpaceError):
        return error
    kind = type(error).__name__
    which = "The environment"
    fields: dict[str, Any] = {"error": kind}
    if lane is not None:
        which, fields = f"The environment of lane {lane}", {**fields, "lane": lane}
    if not reveal:
        _log.exception("the environment raised", exc_info=error)
        return hidden_failure(which, kind, fields)
    return EnvironmentFailedError(
        f"{which} raised {kind}: {error}",
        **fields,
        traceback="".join(traceback.format_exception(error)),
    )


def hidden_failure(which: str, kind: str, fields: Mapping[str, Any]) -> EnvironmentFailedError:
    """Return what a stranger is shown of an error that the environment raised."""
    return EnvironmentFailedError(
        f"{which} raised {kind}. What it said is in the server's log; start the "
        "server with --debug to see it here.",
        **fields,
    )


def action_error(action: Any, action_space: Space[Any]) -> ActionError:
    """Return the error for an action that is not in the action space."""
    shown = repr(action)
    if isinstance(action, np.ndarray):
        shown = f"array of shape {action.shape}, dtype {action.dtype}: {shown}"
    space = repr(action_space)
    advice = ""
    if type(action).__module__.partition(".")[0] == "torch":
        advice = " Of a tensor pass action.numpy(), or action.item() for a Discrete action."
    part = misfit(action_space, action)
    return ActionError(
        f"The action {shown[:200]} ({type(action).__name__}) is not in the action space "
        f"{space[:200]}{part and f': {part}'}; the environment was not stepped. "
        f"env.action_space.sample() shows one that is.{advice}",
        action=shown[:1000],
        space=space[:1000],
    )
