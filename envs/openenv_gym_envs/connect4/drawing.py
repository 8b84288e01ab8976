"""Pictures of a Connect4 board, put together from tiles that are drawn once."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from openenv_gym.errors import missing_package

try:
    from PIL import Image, ImageDraw
except ImportError as error:
    raise missing_package("Rendering Connect4 as rgb_array", "pillow", "connect4") from error

TILE = 64
"""Width and height of a cell in pixels."""

_BOARD = (30, 90, 180)
_EDGE = (18, 60, 130)
_FILL = {0: (235, 240, 248), 1: (214, 48, 49), -1: (250, 202, 46)}
_RIM = {0: _EDGE, 1: (160, 28, 30), -1: (208, 158, 20)}
# Tiles are drawn larger and then reduced: Pillow draws without smoothing.
_OVERSAMPLING = 4


@functools.cache
def _tile(player: int, marked: bool) -> NDArray[np.uint8]:
    size = TILE * _OVERSAMPLING
    image = Image.new("RGB", (size, size), _BOARD)
    draw = ImageDraw.Draw(image)

    def disc(radius: float, colour: tuple[int, int, int]) -> None:
        low, high = size * (0.5 - radius), size * (0.5 + radius)
        draw.ellipse((low, low, high, high), fill=colour)

    disc(0.44, _EDGE)
    disc(0.41, _RIM[player] if player else _FILL[0])
    disc(0.34 if player else 0.41, _FILL[player])
    if marked:
        disc(0.12, (255, 255, 255))
    reduced = image.resize((TILE, TILE), Image.Resampling.LANCZOS)
    return np.asarray(reduced, dtype=np.uint8)


def draw(board: NDArray[np.int8], marked: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Draw a board.

    Args:
        board: (rows, columns) int8: 0 empty, 1 red, -1 yellow; row 0 on top.
        marked: Row and column of the piece to mark.

    Returns:
        (64 * rows, 64 * columns, 3) uint8.
    """
    rows, columns = board.shape
    picture = np.empty((rows * TILE, columns * TILE, 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            top, left = row * TILE, column * TILE
            picture[top : top + TILE, left : left + TILE] = _tile(
                int(board[row, column]), (row, column) == marked
            )
    return picture
