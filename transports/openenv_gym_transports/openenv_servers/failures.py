"""Errors that OpenEnv's own servers report, as errors of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openenv_gym.errors import EnvironmentFailedError, ServerFullError, StepLostError


def full(url: str, error: Mapping[str, Any]) -> ServerFullError:
    """Return the error for a server whose sessions are all taken, from the server's report."""
    most = error.get("max_sessions")
    return ServerFullError(
        f"All {most} sessions of the server at {url} are taken: close some, or serve with more "
        "(max_concurrent_envs).",
        url=url,
        max_sessions=most,
        free=0,
    )


def not_made(url: str, error: Mapping[str, Any]) -> EnvironmentFailedError:
    """Return the error for a server whose environment cannot be made, from the server's report."""
    return EnvironmentFailedError(
        f"The server at {url} could not make its environment; its log says why: "
        f"{error.get('message')}",
        url=url,
    )


def step_lost(url: str, executed: bool | None) -> StepLostError:
    """Return the error for a step whose reply is lost."""
    fate = "was carried out" if executed else "may have been carried out or not"
    return StepLostError(
        f"The connection to {url} dropped during a step, which {fate}; its result is lost. The "
        "session still exists: call reset().",
        url=url,
        executed=executed,
    )


def failed(url: str, what: str, error: Mapping[str, Any]) -> EnvironmentFailedError:
    """Return the error for a server's report, given as JSON."""
    details = "; ".join(
        f"{'.'.join(map(str, one.get('loc', ())))}: {one.get('msg')}"
        for one in error.get("errors") or ()
        if isinstance(one, dict)
    )
    return EnvironmentFailedError(
        f"The server at {url} could not {what}: {error.get('message')}"
        f"{f' ({details})' if details else ''}.",
        url=url,
        code=error.get("code"),
    )
