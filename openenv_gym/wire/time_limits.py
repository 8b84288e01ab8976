"""How long each kind of request may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

from openenv_gym.errors import OptionError, shown
from openenv_gym.wire.messages import (
    Call,
    Close,
    GetState,
    Query,
    Render,
    Request,
    Reset,
    ResetVector,
    Restore,
    Snapshot,
    Step,
    StepVector,
)

LONGEST = 1e8
"""Seconds: what all systems take for a limit."""

_KINDS: Mapping[str, tuple[type[Request], ...]] = {
    "reset": (Reset, ResetVector),
    "step": (Step, StepVector),
    "render": (Render, GetState, Query, Call, Snapshot, Restore),
    "close": (Close,),
}


@dataclass(frozen=True)
class TimeLimits:
    """Seconds that a request may take; None: as long as any may.

    What takes longer is ended with the process or container that it runs in, where that was
    started for it.

    Attributes:
        reset: For a reset.
        step: For a step.
        render: For a picture, and whatever else is asked between steps.
        close: For closing the environment.

    Raises:
        OptionError: One is not a number of seconds.
    """

    reset: float | None = None
    step: float | None = None
    render: float | None = None
    close: float | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            check_seconds(f"{field.name}_timeout", getattr(self, field.name), "leave it out")

    @cached_property
    def by_kind(self) -> dict[type[Request], float]:
        """The limits that there are, by the request's kind."""
        every = {name: getattr(self, name) for name in _KINDS}
        return {
            kind: every[name]
            for name, kinds in _KINDS.items()
            for kind in kinds
            if every[name] is not None
        }


def name_of(kind: type[Request]) -> str:
    """Return which limit holds for a kind of request: ``"step"`` for a step."""
    return next((name for name, kinds in _KINDS.items() if kind in kinds), "start")


def check_seconds(name: str, limit: object, otherwise: str) -> None:
    """Check a limit of time; None is none.

    Args:
        name: The keyword.
        limit: Its value.
        otherwise: What to do for no limit.

    Raises:
        OptionError: It is not a number of seconds.
    """
    if limit is None:
        return
    known = isinstance(limit, int | float) and not isinstance(limit, bool) and 0 < limit <= LONGEST
    if not known:
        raise OptionError(
            f"{name}={shown(limit)}: give seconds, more than 0 and at most {LONGEST:.0e}, or "
            f"{otherwise}.",
            **{name: limit},
        )


NO_LIMITS = TimeLimits()
"""The transport's ``timeout`` holds for all."""
