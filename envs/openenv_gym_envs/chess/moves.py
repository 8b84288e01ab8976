"""The table of all possible moves in chess, in the notation of UCI.

It is computed from geometry alone and needs no chess library, so that a client of a
remote environment has the table too.
"""

from __future__ import annotations

FILES = "abcdefgh"


def _reaches(files: int, ranks: int) -> bool:
    """Whether a queen or a knight covers this distance on an empty board."""
    straight = files == 0 or ranks == 0 or files == ranks
    return (straight and files + ranks > 0) or {files, ranks} == {1, 2}


def _all_moves() -> tuple[str, ...]:
    moves = []
    squares = [(file, rank) for file in range(8) for rank in range(8)]
    for file, rank in squares:
        for to_file, to_rank in squares:
            files, ranks = abs(to_file - file), abs(to_rank - rank)
            if not _reaches(files, ranks):
                continue
            move = f"{FILES[file]}{rank + 1}{FILES[to_file]}{to_rank + 1}"
            moves.append(move)
            if files <= 1 and (rank, to_rank) in ((6, 7), (1, 0)):
                moves += [move + piece for piece in "bnqr"]
    return tuple(sorted(moves))


UCI_MOVES = _all_moves()
"""All 1,968 moves, sorted: those of a queen or a knight from any square (1,792, which
include every other piece's moves), and the promotions of both colours (176).

A move is written as the square left and the square reached: ``"e2e4"``. Castling is
written as the king's move of two squares (``"e1g1"``), a capture en passant as the
pawn's move (``"e5d6"``). A promotion always names its piece, a queen too: ``"e7e8q"``,
or ``r``, ``b``, ``n``.
"""
