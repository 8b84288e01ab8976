"""Pictures of a chess board, put together from tiles that are drawn once.

The pieces are shapes of our own, so that a container without fonts draws them too.
"""

from __future__ import annotations

import functools

import chess
import numpy as np
from numpy.typing import NDArray

from openenv_gym.errors import missing_package

try:
    from PIL import Image, ImageDraw, ImageFilter
except ImportError as error:
    raise missing_package("Rendering Chess as rgb_array", "pillow", "chess") from error

TILE = 60
"""Width and height of a square in pixels."""

# Tiles are drawn larger and then reduced: Pillow draws without smoothing.
_OVERSAMPLING = 4
_SIZE = TILE * _OVERSAMPLING

_Colour = tuple[int, int, int]
_Shape = tuple[tuple[float, float], ...]

# The keys: whether the square is light, and whether the last move left or reached it.
_SQUARES: dict[tuple[bool, bool], _Colour] = {
    (True, False): (238, 216, 182),
    (False, False): (178, 134, 98),
    (True, True): (246, 236, 130),
    (False, True): (218, 194, 72),
}
_BODY: dict[chess.Color, _Colour] = {
    chess.WHITE: (252, 250, 244),
    chess.BLACK: (58, 54, 52),
}
_LINE: dict[chess.Color, _Colour] = {
    chess.WHITE: (44, 40, 38),
    chess.BLACK: (16, 14, 13),
}
_DETAIL: dict[chess.Color, _Colour] = {
    chess.WHITE: (44, 40, 38),
    chess.BLACK: (226, 220, 210),
}

# Shapes on a square of 100 x 100, y downwards. Two points are the corners of an
# ellipse, more are a polygon; the shapes of a piece run together into one outline.
_FOOT: _Shape = ((24, 90), (24, 82), (30, 76), (70, 76), (76, 82), (76, 90))
_BODIES: dict[chess.PieceType, tuple[_Shape, ...]] = {
    chess.PAWN: (
        ((37, 22), (63, 48)),
        ((35, 45), (65, 53)),
        ((44, 46), (56, 46), (66, 78), (34, 78)),
        _FOOT,
    ),
    chess.KNIGHT: (
        (
            *((40, 12), (48, 20), (62, 26), (72, 40), (76, 58), (75, 78), (31, 78)),
            *((33, 68), (44, 58), (49, 48), (41, 49), (34, 56), (26, 59), (19, 53)),
            *((22, 44), (29, 35), (33, 26), (38, 21)),
        ),
        _FOOT,
    ),
    chess.BISHOP: (
        ((45, 8), (55, 18)),
        ((36, 24), (64, 62)),
        ((50, 14), (60, 30), (40, 30)),
        ((34, 57), (66, 65)),
        ((42, 60), (58, 60), (68, 78), (32, 78)),
        _FOOT,
    ),
    chess.ROOK: (
        (
            *((25, 16), (37, 16), (37, 24), (44, 24), (44, 16), (56, 16), (56, 24)),
            *((63, 24), (63, 16), (75, 16), (75, 34), (66, 42), (68, 78), (32, 78)),
            *((34, 42), (25, 34)),
        ),
        _FOOT,
    ),
    chess.QUEEN: (
        ((12, 20), (22, 30)),
        ((29, 13), (39, 23)),
        ((45, 9), (55, 19)),
        ((61, 13), (71, 23)),
        ((78, 20), (88, 30)),
        (
            *((17, 25), (31, 50), (34, 18), (44, 48), (50, 14), (56, 48), (66, 18)),
            *((69, 50), (83, 25), (73, 66), (72, 78), (28, 78), (27, 66)),
        ),
        _FOOT,
    ),
    chess.KING: (
        ((46, 6), (54, 6), (54, 36), (46, 36)),
        ((39, 12), (61, 12), (61, 20), (39, 20)),
        ((41, 26), (59, 54)),
        ((16, 32), (52, 66)),
        ((48, 32), (84, 66)),
        ((22, 56), (78, 56), (71, 78), (29, 78)),
        _FOOT,
    ),
}
# Bands and eyes are drawn onto the body.
_BAND: _Shape = ((31, 75), (69, 75), (69, 78), (31, 78))
_DETAILS: dict[chess.PieceType, tuple[_Shape, ...]] = {
    chess.PAWN: (),
    chess.KNIGHT: (((36, 31), (42, 37)), ((24, 50), (28, 54)), _BAND),
    chess.BISHOP: (
        ((48, 34), (52, 34), (52, 52), (48, 52)),
        ((42, 40), (58, 40), (58, 44), (42, 44)),
        _BAND,
    ),
    chess.ROOK: (((33, 39), (67, 39), (67, 42), (33, 42)), _BAND),
    chess.QUEEN: (((28, 65), (72, 65), (72, 68), (28, 68)), _BAND),
    chess.KING: (((26, 64), (74, 64), (74, 67), (26, 67)), _BAND),
}


def _mask(shapes: tuple[_Shape, ...]) -> Image.Image:
    """Draw the union of shapes, white on black."""
    image = Image.new("L", (_SIZE, _SIZE), 0)
    draw = ImageDraw.Draw(image)
    for shape in shapes:
        points = [(x * _SIZE / 100, y * _SIZE / 100) for x, y in shape]
        if len(points) == 2:
            draw.ellipse(points, fill=255)
        else:
            draw.polygon(points, fill=255)
    return image


@functools.cache
def _tile(piece: chess.Piece | None, light: bool, marked: bool) -> NDArray[np.uint8]:
    image = Image.new("RGB", (_SIZE, _SIZE), _SQUARES[light, marked])
    if piece is not None:
        body = _mask(_BODIES[piece.piece_type])
        # Grown by a few pixels on all sides, the mask of the body is the mask of its outline.
        image.paste(_LINE[piece.color], mask=body.filter(ImageFilter.MaxFilter(9)))
        image.paste(_BODY[piece.color], mask=body)
        details = _mask(_DETAILS[piece.piece_type])
        image.paste(_DETAIL[piece.color], mask=details)
    reduced = image.resize((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(reduced, dtype=np.uint8)


def draw(board: chess.Board, viewer: chess.Color) -> NDArray[np.uint8]:
    """Draw a board, with the squares of the last move marked.

    Args:
        board: The position.
        viewer: Colour of the side at the bottom.

    Returns:
        (480, 480, 3) uint8.
    """
    move = board.peek() if board.move_stack else None
    marked = () if move is None else (move.from_square, move.to_square)
    pieces = board.piece_map()
    picture = np.empty((8 * TILE, 8 * TILE, 3), np.uint8)
    for square in chess.SQUARES:
        rank, file = chess.square_rank(square), chess.square_file(square)
        row, column = (7 - rank, file) if viewer else (rank, 7 - file)
        top, left = row * TILE, column * TILE
        picture[top : top + TILE, left : left + TILE] = _tile(
            pieces.get(square), (rank + file) % 2 == 1, square in marked
        )
    return picture
