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


class Steering(Action):
    direction: Annotated[int, Discrete(3)]


class Screen(Observation):
    screen: Annotated[Array, Box(0, 255, (36, 36, 3), np.uint8)]


class Catch(Environment[Steering, Screen, State]):
    """Catches what falls down the screen: nine steps, then 2 if the paddle is below, else -2."""

    def reset(self) -> Screen:
        self._row, self._column, self._paddle = 0, int(self.np_random.integers(9)), 4
        return self._observe(0.0)

    def step(self, action: Steering) -> Screen:
        self._row += 1
        self._paddle = min(8, max(0, self._paddle + action.direction - 1))
        caught = 2.0 if self._paddle == self._column else -2.0
        return self._observe(caught if self._row == 8 else 0.0)

    def _observe(self, reward: float) -> Screen:
        screen = np.zeros((9, 9, 3), np.uint8)
        screen[self._row, self._column, 0] = 255
        screen[8, self._paddle, 1] = 255
        screen = screen.repeat(4, axis=0).repeat(4, axis=1)
        return Screen(screen=screen, done=self._row == 8, reward=reward)

    @property
    def state(self) -> State:
        return State()


register_environment("openenv-test/Nim-v0", f"{__name__}:Nim")
register_environment("openenv-test/Catch-v0", f"{__name__}:Catch")
