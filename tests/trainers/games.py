"""Games for tests; a server process imports them by name."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Discrete

from openenv_gym import (
    Action,
    Array,
    Environment,
    Info,
    LegalActions,
    Observation,
    State,
    register_environment,
)


class Taking(Action):
    count: Annotated[int, Discrete(2, start=1)]


class Heap(Observation):
    left: Annotated[Array, Box(0, 10, (1,), np.int64)]
    legal: Annotated[list[int], LegalActions()]
    current_player_id: Annotated[int | None, Info()] = None


class Nim(Environment[Taking, Heap, State]):
    """Takes one or two of ten in turn; who takes the last wins. An illegal action costs 0.5.

    Args:
        players: Who must share what the winner gets, where there are more than two.
        rewards: The info tells what each player got.
        turns: The info tells whose turn it is.
    """

    def __init__(self, players: int = 2, rewards: bool = False, turns: bool = True) -> None:
        self.players = players
        self._rewards = rewards
        self._turns = turns

    def reset(self) -> Heap:
        self._left, self._turn = 10, 0
        return self._observe(0.0)

    def step(self, action: Taking) -> Heap:
        if action.count > self._left:
            return self._observe(-0.5)
        self._left -= action.count
        mover = self._turn
        self._turn = (self._turn + 1) % self.players
        observation = self._observe(1.0 if self._left == 0 else 0.0)
        if self._rewards and self._left == 0:
            share = -1.0 / (self.players - 1)
            observation.metadata["rewards"] = [
                1.0 if player == mover else share for player in range(self.players)
            ]
        elif self._rewards:
            observation.metadata["rewards"] = [0.0] * self.players
        return observation

    def _observe(self, reward: float) -> Heap:
        return Heap(
            left=np.array([self._left]),
            legal=[count for count in (1, 2) if count <= self._left],
            current_player_id=self._turn if self._turns else None,
            done=self._left == 0,
            reward=reward,
        )

    @property
    def state(self) -> State:
        return State()


register_environment("openenv-test/Nim-v0", f"{__name__}:Nim")
