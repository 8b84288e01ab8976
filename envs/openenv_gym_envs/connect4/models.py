"""Models of the Connect4 environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Discrete

from openenv_gym.models import Action, Array, Info, LegalActions, Observation, State

ROWS = 6
COLUMNS = 7


class Connect4Action(Action):
    """Drops a piece.

    Attributes:
        column: The column, 0 (left) to 6 (right).
    """

    column: Annotated[int, Discrete(COLUMNS)]


class Connect4Observation(Observation):
    """The board, the same for both players.

    Attributes:
        board: (6, 7) int8, row 0 on top: 0 empty, 1 a piece of the player who began,
            -1 a piece of the other.
        legal_actions: The columns that are not full; empty once the game is over.
        current_player_id: Whose turn it is: 0 is the player who began, 1 the other.
    """

    board: Annotated[Array, Box(-1, 1, (ROWS, COLUMNS), np.int8)]
    legal_actions: Annotated[list[int], LegalActions()]
    current_player_id: Annotated[int, Info()] = 0


class Connect4State(State):
    """The position.

    Attributes:
        board: The board of the observation, as lists.
        next_player: Whose turn it is, 1 or -1.
    """

    board: list[list[int]]
    next_player: int = 1
