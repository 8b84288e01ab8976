"""The environment's own count of steps, which shows whether a step without a reply ran."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class StepCount:
    """Follows ``state.step_count`` of one environment.

    Each environment decides what it counts: some count opponents' moves too, some count nothing. So
    if the count grew the step was carried out, but if it did not grow the step was not carried out
    only where each step so far made it grow.

    Args:
        trusted: Whether the environment is known to count each step.
    """

    def __init__(self, *, trusted: bool = False) -> None:
        self._grows: bool | None = True if trusted else None
        self._known: tuple[Any, int] | None = None

    def begin(self, state: Mapping[str, Any] | None) -> None:
        """Record the state after a reset."""
        self._known = _count(state)

    def follow(self, state: Mapping[str, Any] | None) -> None:
        """Record the state after a step that was carried out."""
        before, self._known = self._known, _count(state)
        if before is not None and self._known is not None:
            grew = self._known[1] > before[1]
            self._grows = grew if self._grows is None else grew and self._grows

    def executed(self, state: Mapping[str, Any] | None) -> bool | None:
        """Return whether a step was carried out since; None if that is unknown.

        Args:
            state: The state now.
        """
        before, now = self._known, _count(state)
        if before is None or now is None or now[0] != before[0]:
            return None
        if now[1] > before[1]:
            return True
        return False if now[1] == before[1] and self._grows else None


def _count(state: Mapping[str, Any] | None) -> tuple[Any, int] | None:
    """Return the episode and its steps so far."""
    steps = None if state is None else state.get("step_count")
    return None if state is None or type(steps) is not int else (state.get("episode_id"), steps)
