"""Games of OpenSpiel against an opponent that plays at random, by the methods of the states.

Our environment gets the tensors from OpenSpiel's observers, which take a fraction of the time of
``State.observation_tensor``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from openenv_gym_envs.comparison import Comparison, Player, draw


class Game(Player):
    name: str

    def __init__(self) -> None:
        import pyspiel

        self._game = pyspiel.load_game(self.name)
        self._rng = np.random.default_rng(0)

    def reset(self) -> None:
        self._state = self._game.new_initial_state()
        self._let_opponent_move()

    def choose(self) -> Any:
        return draw(self._mask, self._rng)

    def step(self, action: Any) -> bool:
        self._state.apply_action(action)
        self._let_opponent_move()
        self._reward = self._state.returns()[0]
        return bool(self._state.is_terminal())

    def _let_opponent_move(self) -> None:
        """Move for the opponent, and observe."""
        state = self._state
        legal = state.legal_actions()
        while state.current_player() == 1:
            state.apply_action(legal[int(self._rng.random() * len(legal))])
            legal = state.legal_actions()
        self._tensor = np.asarray(state.observation_tensor(0), np.float32)
        self._mask = np.zeros(self._game.num_distinct_actions(), np.int8)
        self._mask[legal] = 1


class ConnectFour(Game):
    name = "connect_four"


class Chess(Game):
    name = "chess"


class Go(Game):
    name = "go"


COMPARISONS = (
    Comparison("OpenSpiel connect_four", "openenv/OpenSpiel.connect_four-v0", ConnectFour, bar=0.5),
    Comparison("OpenSpiel chess", "openenv/OpenSpiel.chess-v0", Chess, bar=0.5),
    Comparison("OpenSpiel go", "openenv/OpenSpiel.go-v0", Go, bar=0.5),
)
