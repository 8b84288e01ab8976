"""Pauses between tries, each longer than the one before."""

from __future__ import annotations

from time import sleep

_FIRST = 0.01


class Backoff:
    """The pauses of one series of tries: none, then ten milliseconds, then always twice as long.

    Args:
        longest: Seconds of the longest pause.
        at_once: The second try follows the first without a pause.

    Attributes:
        pause: Seconds of the next pause.
    """

    def __init__(self, longest: float, *, at_once: bool = False) -> None:
        self._longest = longest
        self.pause = 0.0 if at_once else _FIRST

    def wait(self) -> None:
        """Pause."""
        sleep(self.pause)
        self.pause = min(max(2 * self.pause, _FIRST), self._longest)
