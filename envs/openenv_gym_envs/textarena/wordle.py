"""OpenEnv's reward signals of Wordle."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

_BRACKETED = re.compile(r"\[([A-Za-z]+)\]")


class WordleSignals:
    """Computes how good each guess was."""

    def __init__(self) -> None:
        self._guessed: Counter[str] = Counter()
        self._taken = 0

    def after(self, message: str, game_state: dict[str, Any], reward: float) -> dict[str, float]:
        """Return the signals of a step.

        Args:
            message: The agent's message.
            game_state: State of the game after the message.
            reward: Reward of the step.

        Returns:
            The shares of green and of yellow letters (both 0 if the guess was not valid), 1 minus
            the number of earlier times that it was guessed, and the reward.
        """
        length = game_state["word_length"]
        guess = _guess(message, length)
        before = self._guessed[guess] if guess else 0
        self._guessed[guess] += 1
        history = game_state["guess_history"]
        feedback = history[-1][1] if len(history) > self._taken else []
        self._taken = len(history)
        return {
            "wordle.greens": feedback.count("G") / length,
            "wordle.yellows": feedback.count("Y") / length,
            "wordle.repetitions": 1.0 - before,
            "wordle.correct": float(reward),
        }


def _guess(message: str, length: int) -> str:
    """Return the first word of the length in brackets, else the first letters of the text."""
    for word in _BRACKETED.findall(message):
        if len(word) == length:
            return str(word).lower()
    letters = re.sub("[^a-z]", "", message.lower())
    return letters[:length] if len(letters) >= length else ""
