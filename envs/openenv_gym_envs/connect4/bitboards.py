"""Connect4 on bitboards: the test for a win, and an opponent that looks ahead.

A player's pieces are the bits of one integer. Cell (column, height) is bit
``7 * column + height`` with height 0 at the bottom; the seventh bit of every column
stays empty, so that no line runs from one column's top into the next column. A step to
the right is a shift by 7, up by 1, and along the diagonals by 8 and 6. (Solvers
commonly use this layout.)
"""

from __future__ import annotations

import numpy as np

from openenv_gym_envs.connect4.models import COLUMNS, ROWS

STRIDE = ROWS + 1
BOTTOM = sum(1 << STRIDE * column for column in range(COLUMNS))
"""The lowest cell of each column."""
CELLS = BOTTOM * ((1 << ROWS) - 1)
"""All cells."""
WIN = 1_000_000
"""Score of a won position; the plies left to search are added, as sooner is better."""

_DIAGONALS_AND_ROW = (STRIDE - 1, STRIDE, STRIDE + 1)
_CENTRE = CELLS & (0b1111111 << STRIDE * 3)
_INNER = CELLS & (0b1111111 << STRIDE * 2 | 0b1111111 << STRIDE * 4)
# The centre comes first: a central piece is in more lines, so that cut-offs come sooner.
_COLUMN_MASKS = tuple(
    (column, CELLS & (0b1111111 << STRIDE * column)) for column in (3, 2, 4, 1, 5, 0, 6)
)


def has_four(pieces: int) -> bool:
    """Return whether four of these pieces are in a line."""
    pairs = pieces & (pieces >> 1)
    if pairs & (pairs >> 2):
        return True
    for shift in _DIAGONALS_AND_ROW:
        pairs = pieces & (pieces >> shift)
        if pairs & (pairs >> 2 * shift):
            return True
    return False


def completing_cells(pieces: int, filled: int) -> int:
    """Return the empty cells that would complete a line of four, reachable or not.

    An upright line is completed only at its top: pieces do not float.
    """
    cells = (pieces << 1) & (pieces << 2) & (pieces << 3)
    for shift in _DIAGONALS_AND_ROW:
        # The gap may be at each of the four places of a line, seen from both ends.
        two = (pieces << shift) & (pieces << 2 * shift)
        cells |= two & (pieces << 3 * shift | pieces >> shift)
        two = (pieces >> shift) & (pieces >> 2 * shift)
        cells |= two & (pieces >> 3 * shift | pieces << shift)
    return cells & (CELLS ^ filled)


def evaluate(own: int, other: int) -> int:
    """Estimate who is ahead: by open threes, then by pieces near the centre."""
    filled = own | other
    return (
        8 * completing_cells(own, filled).bit_count()
        - 8 * completing_cells(other, filled).bit_count()
        + 2 * ((own & _CENTRE).bit_count() - (other & _CENTRE).bit_count())
        + (own & _INNER).bit_count()
        - (other & _INNER).bit_count()
    )


def search(own: int, other: int, depth: int, alpha: int, beta: int) -> int:
    """Search by negamax with alpha-beta cuts.

    Args:
        own: Pieces of the player whose turn it is.
        other: Pieces of the other player; neither has four in a line.
        depth: Half-moves to look ahead.
        alpha: Lowest score of interest.
        beta: Highest score of interest.

    Returns:
        The score for the player whose turn it is, exact between alpha and beta.
    """
    filled = own | other
    reachable = (filled + BOTTOM) & CELLS
    if not reachable:
        return 0
    if depth == 0:
        return evaluate(own, other)
    if completing_cells(own, filled) & reachable:
        return WIN + depth
    best = -2 * WIN
    for _, mask in _COLUMN_MASKS:
        cell = reachable & mask
        if cell:
            score = -search(other, own | cell, depth - 1, -beta, -alpha)
            if score > best:
                best = score
                alpha = max(alpha, score)
                if alpha >= beta:
                    break
    return best


def choose_column(own: int, other: int, depth: int, rng: np.random.Generator) -> int:
    """Return the best column for the player whose turn it is, drawn from the best ones.

    Args:
        own: Pieces of the player whose turn it is.
        other: Pieces of the other player; neither has four in a line.
        depth: Half-moves to look ahead, at least 1.
        rng: Random generator that chooses between columns of the same score.
    """
    filled = own | other
    reachable = (filled + BOTTOM) & CELLS
    winning = completing_cells(own, filled) & reachable
    best, columns = -2 * WIN, [0]
    for column, mask in _COLUMN_MASKS:
        cell = reachable & mask
        if not cell:
            continue
        if cell & winning:
            score = WIN + depth
        else:
            # The window reaches one below the best, which distinguishes a tie from a loss.
            score = -search(other, own | cell, depth - 1, -2 * WIN, 1 - best)
        if score > best:
            best, columns = score, [column]
        elif score == best:
            columns.append(column)
    return columns[rng.integers(len(columns))]
