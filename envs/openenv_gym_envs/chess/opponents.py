"""Opponents that play against the agent."""

from __future__ import annotations

from abc import ABC, abstractmethod

import chess
import numpy as np

from openenv_gym_envs.chess.game import Game

_VALUES = {
    None: 0,
    chess.PAWN: 1,
    chess.KNIGHT: 3,
    chess.BISHOP: 3,
    chess.ROOK: 5,
    chess.QUEEN: 9,
    chess.KING: 0,
}


class Opponent(ABC):
    """Base of all opponents."""

    def begin(self, game: Game) -> None:  # noqa: B027  # most have nothing to forget
        """Prepare for a new game."""

    @abstractmethod
    def choose(self, game: Game, rng: np.random.Generator) -> chess.Move:
        """Return one of the game's legal moves; all chance comes from ``rng``."""

    def close(self) -> None:  # noqa: B027  # most hold nothing
        """Release the opponent's resources."""


class RandomOpponent(Opponent):
    """Plays any legal move, all equally likely."""

    def choose(self, game: Game, rng: np.random.Generator) -> chess.Move:
        """Implements Opponent.choose."""
        moves = list(game.legal.values())
        return moves[rng.integers(len(moves))]


class GreedyOpponent(Opponent):
    """Plays the move that gains most material at once; any of them where several do."""

    def choose(self, game: Game, rng: np.random.Generator) -> chess.Move:
        """Implements Opponent.choose."""
        gains = [(_gain(game.board, move), move) for move in game.legal.values()]
        most = max(gain for gain, _ in gains)
        moves = [move for gain, move in gains if gain == most]
        return moves[rng.integers(len(moves))]


def _gain(board: chess.Board, move: chess.Move) -> int:
    """Return the material that a move gains at once, in pawns."""
    if board.is_en_passant(move):
        return _VALUES[chess.PAWN]
    gain = _VALUES[board.piece_type_at(move.to_square)]
    if move.promotion is not None:
        gain += _VALUES[move.promotion] - _VALUES[chess.PAWN]
    return gain
