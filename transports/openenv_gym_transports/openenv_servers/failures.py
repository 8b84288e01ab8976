"""Errors that servers of OpenEnv's own make tell of, as errors of ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openenv_gym.errors import EnvironmentFailedError, ServerFullError, StepLostError


def full(url: str, told: Mapping[str, Any]) -> ServerFullError:
    """The error for a server whose sessions are all taken, from what it tells of them."""
    most = told.get("max_sessions")
    return ServerFullError(
        f"All {most} sessions of the server at {url} are taken: close some, or serve with more "
        "(max_concurrent_envs).",
        url=url,
        max_sessions=most,
        free=0,
    )


def not_made(url: str, told: Mapping[str, Any]) -> EnvironmentFailedError:
    """The error for a server whose environment cannot be made, from what it tells of that."""
    return EnvironmentFailedError(
        f"The server at {url} could not make its environment, and its log tells why: "
        f"{told.get('message')}",
        url=url,
    )


def step_lost(url: str, executed: bool | None) -> StepLostError:
    """The error for a step whose reply is lost."""
    fate = "was carried out" if executed else "may have been carried out, or not"
    return StepLostError(
        f"The connection to {url} dropped during a step, which {fate}; what it gave is lost. The "
        "session is still there: call reset().",
        url=url,
        executed=executed,
    )


def failed(url: str, what: str, told: Mapping[str, Any]) -> EnvironmentFailedError:
    """The error that a server told of, as JSON."""
    details = "; ".join(
        f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg')}"
        for one in told.get("errors") or ()
        if isinstance(one, dict)
    )
    return EnvironmentFailedError(
        f"The server at {url} could not {what}: {told.get('message')}"
        f"{f' ({details})' if details else ''}.",
        url=url,
        code=told.get("code"),
    )
