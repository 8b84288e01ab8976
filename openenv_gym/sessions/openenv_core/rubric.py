"""Scores of the rubric of an environment of ``openenv.core``, of which it makes its reward."""

from __future__ import annotations

from typing import Any

TOTAL = "total"
"""Name of the score of the whole rubric; the others have the names of its parts."""


class RubricScores:
    """Collects what the parts of a rubric scored in one step.

    Args:
        environment: The environment; most have no rubric.
    """

    def __init__(self, environment: Any) -> None:
        self._scores: dict[str, float] = {}
        rubric = getattr(environment, "rubric", None)
        if rubric is None or not hasattr(rubric, "register_forward_hook"):
            return
        self._follow(TOTAL, rubric)
        for name, part in rubric.named_rubrics():
            self._follow(name, part)

    def _follow(self, name: str, rubric: Any) -> None:
        def note(rubric: Any, action: Any, observation: Any, score: Any) -> None:
            self._scores[name] = float(score)

        rubric.register_forward_hook(note)

    def take(self) -> dict[str, float]:
        """Return the scores since the last call, by name; empty where nothing was scored."""
        scores = dict(self._scores)
        self._scores.clear()
        return scores
