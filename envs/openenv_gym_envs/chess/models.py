"""Models of the Chess environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box

from openenv_gym.models import (
    Action,
    Array,
    Choice,
    Info,
    LegalActions,
    Observation,
    State,
)
from openenv_gym_envs.chess.moves import UCI_MOVES

START_FEN = "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1"
PLANES = 20


class ChessAction(Action):
    """One move.

    The agent sees its index in :data:`~openenv_gym_envs.chess.moves.UCI_MOVES`.

    Attributes:
        move: The move in UCI: ``"e2e4"``, ``"e1g1"`` (castling), ``"e7e8q"`` (promotion).
    """

    move: Annotated[str, Choice(UCI_MOVES)]


class ChessObservation(Observation):
    """The position.

    Attributes:
        planes: (20, 8, 8) uint8, all 0 or 1, from the agent's side (in self-play: from
            the side whose turn it is). ``planes[p, r, f]`` is the square on file ``f``
            (0 is the a-file) and the ``r``-th rank from that side's own first rank.

            ======  ==========================================================
            0-5     own pawns, knights, bishops, rooks, queens, king
            6-11    the other side's
            12, 13  own right to castle: king's side, queen's side (full planes)
            14, 15  the other side's
            16      the square on which a pawn can be captured en passant now
            17      moves since the last capture or pawn move: as many squares,
                    counted from the own first rank, as whole moves were begun
            18      the position occurred before (full plane)
            19      the own side is White (full plane)
            ======  ==========================================================
        legal_moves: Sorted moves of the side whose turn it is; empty once the game is over.
        fen: The position in Forsyth-Edwards notation.
        is_check: Whether the side whose turn it is stands in check.
        result: ``"1-0"``, ``"0-1"`` or ``"1/2-1/2"`` once the game is over.
        current_player_id: Whose turn it is: 0 is White, 1 is Black.
    """

    planes: Annotated[Array, Box(0, 1, (PLANES, 8, 8), np.uint8)]
    legal_moves: Annotated[list[str], LegalActions()]
    fen: Annotated[str, Info()] = ""
    is_check: Annotated[bool, Info()] = False
    result: Annotated[str | None, Info()] = None
    current_player_id: Annotated[int, Info()] = 0


class ChessState(State):
    """The game so far.

    Attributes:
        fen: The position in Forsyth-Edwards notation.
        current_player: Whose turn it is, ``"white"`` or ``"black"``.
        move_history: All moves since the reset, of both sides, in UCI.
        step_count: Number of these moves.
    """

    fen: str = START_FEN
    current_player: str = "white"
    move_history: list[str]
