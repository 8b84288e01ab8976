"""One game of chess: its position, its legal moves, and whether and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

import chess

from openenv_gym.errors import OptionError
from openenv_gym_envs.chess.moves import UCI_MOVES
from openenv_gym_envs.chess.position import en_passant_square, kinds_of

DRAW = "1/2-1/2"
# The text of each move, by its squares and promotion: Move.uci() would make it at each call.
_NAMES = {
    (move.from_square, move.to_square, move.promotion): text
    for text in UCI_MOVES
    for move in (chess.Move.from_uci(text),)
}


class Game:
    """A game in progress.

    A game ends by checkmate, stalemate, insufficient material, fifty moves of both
    sides without capture or pawn move, and when a position occurs for the third time.

    FIDE's rules let a player claim the last two draws; OpenEnv claims them as soon as
    that is possible, and so does this class. It counts positions itself, because
    python-chess's ``outcome(claim_draw=True)`` also checks whether any legal move would
    make the draw claimable, which takes several times as long as the rest of a step.

    Args:
        board: The position where the game starts; the game changes this object.
        max_plies: Number of half-moves after which the game is broken off as a draw; None
            for no limit.

    Attributes:
        board: The position.
        legal: Legal moves by their text, sorted by it; empty once the game is over.
        is_check: Whether the side whose turn it is stands in check.
        result: ``"1-0"``, ``"0-1"``, ``"1/2-1/2"``, or None while the game goes on.
        truncated: Whether the game was broken off by ``max_plies``.
        repeated: Whether the position occurred before.
    """

    def __init__(self, board: chess.Board, max_plies: int | None = None) -> None:
        self.board = board
        self.truncated = False
        self._max_plies = max_plies
        self._seen: Counter[Hashable] = Counter()
        self._look()

    def push(self, move: chess.Move) -> None:
        """Play a legal move."""
        self.board.push(move)
        self._look()

    @property
    def history(self) -> list[str]:
        """The moves so far, in UCI."""
        return [move.uci() for move in self.board.move_stack]

    def _look(self) -> None:
        board = self.board
        self.is_check = board.is_check()
        self.legal = legal_moves(board)
        if board.halfmove_clock == 0:
            self._seen.clear()  # no earlier position can come back
        key = _position(board)
        self._seen[key] += 1
        self.repeated = self._seen[key] > 1
        self.result = self._judge(self._seen[key])
        if self.result is None and len(board.move_stack) == self._max_plies:
            self.result, self.truncated = DRAW, True
        if self.result is not None:
            self.legal = {}

    def _judge(self, times_seen: int) -> str | None:
        board = self.board
        if not self.legal:
            if not self.is_check:
                return DRAW
            return "0-1" if board.turn == chess.WHITE else "1-0"
        drawn = times_seen >= 3 or board.halfmove_clock >= 100 or board.is_insufficient_material()
        return DRAW if drawn else None


def legal_moves(board: chess.Board) -> dict[str, chess.Move]:
    """Return the legal moves by their text, sorted by it, as the table of moves is.

    They are sorted so that a seeded choice among them does not depend on the order in
    which a version of python-chess finds them.
    """
    moves = {
        _NAMES[move.from_square, move.to_square, move.promotion]: move
        for move in board.generate_legal_moves()
    }
    return {text: moves[text] for text in sorted(moves)}


def board_from_fen(fen: str) -> chess.Board:
    """Return the board of a position from which a game can start.

    Raises:
        OptionError: The text is not a FEN, or the position is not legal, or the game is
            over there.
    """
    try:
        board = chess.Board(fen)
    except ValueError as error:
        raise OptionError(f"Option fen is not a valid FEN: {error}", fen=fen) from error
    status = board.status()
    if status != chess.STATUS_VALID:
        faults = ", ".join(str(flag.name).lower() for flag in chess.Status if flag & status)
        raise OptionError(f"Option fen is not a legal position ({faults}): {fen}", fen=fen)
    result = Game(board).result
    if result is not None:
        raise OptionError(f"The game is already over ({result}) at fen {fen}", fen=fen)
    return board


def _position(board: chess.Board) -> Hashable:
    """Return a key that is equal for positions that FIDE's rule of repetition calls the same."""
    return (
        *kinds_of(board),
        board.occupied_co[chess.WHITE],
        board.turn,
        board.castling_rights,
        en_passant_square(board),
    )
