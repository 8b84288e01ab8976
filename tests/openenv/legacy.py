"""Environments of openenv-core 0.1, served by its own server; only that peer can import this."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import uuid4

from fastapi import FastAPI
from openenv_core.env_server import Action, Environment, Observation, State, create_fastapi_app

ROWS, COLUMNS = 6, 7


@dataclass(kw_only=True)
class Connect4Action(Action):
    column: int


@dataclass(kw_only=True)
class Connect4Observation(Observation):
    board: list[list[int]]
    legal_actions: list[int]


class Connect4Environment(Environment):  # type: ignore[misc]
    """Pieces fall, and nobody wins; those of the last column take a second."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def reset(self) -> Connect4Observation:
        self._columns: list[list[int]] = [[] for _ in range(COLUMNS)]
        self._state = State(episode_id=str(uuid4()))
        return self._observe()

    def step(self, action: Connect4Action) -> Connect4Observation:
        time.sleep(action.column == COLUMNS - 1)
        player = -1 if self._state.step_count % 2 else 1
        self._columns[action.column].append(player)
        self._state.step_count += 1
        return self._observe()

    def _observe(self) -> Connect4Observation:
        rows = [[(*column, *[0] * ROWS)[row] for column in self._columns] for row in range(ROWS)]
        legal = [i for i, column in enumerate(self._columns) if len(column) < ROWS]
        return Connect4Observation(
            board=rows[::-1], legal_actions=legal, reward=0.5 * self._state.step_count
        )

    @property
    def state(self) -> State:
        return self._state


app: FastAPI = create_fastapi_app(Connect4Environment(), Connect4Action, Connect4Observation)
