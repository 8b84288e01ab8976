"""A chess position as planes, text and material, computed from bitboards.

python-chess goes from square to square and takes as long for one FEN as for all legal
moves; an environment needs both in each step.
"""

from __future__ import annotations

import struct

import chess
import numpy as np
from numpy.typing import NDArray

from openenv_gym_envs.chess.models import PLANES

_FULL = 0xFFFF_FFFF_FFFF_FFFF
_RIGHTS = {
    chess.WHITE: (chess.BB_H1, chess.BB_A1),
    chess.BLACK: (chess.BB_H8, chess.BB_A8),
}
# The keys are the viewer's colour. The bytes of a bitboard are ranks, so that the order of
# bytes turns the board upside down at no cost.
_PACK = {
    chess.WHITE: struct.Struct(f"<{PLANES}Q").pack,
    chess.BLACK: struct.Struct(f">{PLANES}Q").pack,
}
_LETTERS = {chess.WHITE: "PNBRQK", chess.BLACK: "pnbrqk"}
_VALUES = (1, 3, 3, 5, 9)


def en_passant_square(board: chess.Board) -> int | None:
    """Return the square on which a capture en passant is legal, if there is one."""
    return board.ep_square if board.has_legal_en_passant() else None


def planes(board: chess.Board, viewer: chess.Color, repeated: bool) -> NDArray[np.uint8]:
    """Return the planes of :class:`~openenv_gym_envs.chess.models.ChessObservation`.

    Args:
        board: The position.
        viewer: Colour of the side from which the planes are seen.
        repeated: Whether the position occurred before.

    Returns:
        (20, 8, 8) uint8, all 0 or 1, a fresh array.
    """
    own, other = board.occupied_co[viewer], board.occupied_co[not viewer]
    kinds = kinds_of(board)
    rights = board.castling_rights
    king_side, queen_side = _RIGHTS[viewer]
    other_king_side, other_queen_side = _RIGHTS[not viewer]
    passed = en_passant_square(board)
    # One bit from the viewer's own corner for each move that was begun; 50 of them end the game.
    clock = (1 << min((board.halfmove_clock + 1) // 2, 64)) - 1
    bits = (
        *[kind & own for kind in kinds],
        *[kind & other for kind in kinds],
        _FULL if rights & king_side else 0,
        _FULL if rights & queen_side else 0,
        _FULL if rights & other_king_side else 0,
        _FULL if rights & other_queen_side else 0,
        0 if passed is None else 1 << passed,
        clock if viewer else chess.flip_vertical(clock),
        _FULL if repeated else 0,
        _FULL if viewer else 0,
    )
    packed = np.frombuffer(_PACK[viewer](*bits), np.uint8)
    return np.unpackbits(packed, bitorder="little").reshape(PLANES, 8, 8)


def fen(board: chess.Board) -> str:
    """Return the same as ``board.fen()``, several times as fast."""
    cells = bytearray(b"." * 64)
    for colour in chess.COLORS:
        side = board.occupied_co[colour]
        for letter, kind in zip(_LETTERS[colour].encode(), kinds_of(board), strict=True):
            left = kind & side
            while left:
                lowest = left & -left
                # The eighth rank comes first in a FEN.
                cells[(lowest.bit_length() - 1) ^ 56] = letter
                left ^= lowest
    text = cells.decode()
    ranks = "/".join([text[i : i + 8] for i in range(0, 64, 8)])
    for empty in range(8, 0, -1):
        ranks = ranks.replace("." * empty, str(empty))
    passed = en_passant_square(board)
    return (
        f"{ranks} {'w' if board.turn else 'b'} {board.castling_xfen()} "
        f"{'-' if passed is None else chess.SQUARE_NAMES[passed]} "
        f"{board.halfmove_clock} {board.fullmove_number}"
    )


def material(board: chess.Board) -> int:
    """Return White's material minus Black's, in pawns (1, 3, 3, 5, 9)."""
    white, black = board.occupied_co[chess.WHITE], board.occupied_co[chess.BLACK]
    return sum(
        value * ((kind & white).bit_count() - (kind & black).bit_count())
        for value, kind in zip(_VALUES, kinds_of(board), strict=False)
    )


def kinds_of(board: chess.Board) -> tuple[int, int, int, int, int, int]:
    """Return a bitboard for each kind of piece, of both colours, from pawns to kings."""
    return (
        board.pawns,
        board.knights,
        board.bishops,
        board.rooks,
        board.queens,
        board.kings,
    )
