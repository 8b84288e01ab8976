"""Wordle of TextArena, with our word lists in place of nltk's.

When TextArena is imported it asks nltk for word lists, and nltk downloads them.
"""

from __future__ import annotations

import itertools
from typing import Any

from openenv_gym_envs.comparison import Comparison, Player
from openenv_gym_envs.textarena import standins

ACTIONS = ("[crane]", "[pilot]", "[bushy]")


class Wordle(Player):
    def __init__(self) -> None:
        textarena = standins.load("textarena")
        standins.load("textarena.envs.Wordle.env")
        self._numbers = standins.Numbers(0)
        with standins.playing(self._numbers):
            self._env = textarena.make("Wordle-v0")
        self._actions = itertools.cycle(ACTIONS)

    def reset(self) -> None:
        with standins.playing(self._numbers):
            self._env.full_observations.clear()  # a reset does not clear them
            self._env.reset(num_players=1)
            self._observation = self._env.get_observation()

    def choose(self) -> Any:
        return next(self._actions)

    def step(self, action: Any) -> bool:
        with standins.playing(self._numbers):
            over, _ = self._env.step(action)
            self._observation = self._env.get_observation()
        self._reward = self._env.close()[0] if over else None
        return bool(over)


COMPARISONS = (
    Comparison("TextArena Wordle", "openenv/TextArena.Wordle-v0", Wordle, actions=ACTIONS),
)
