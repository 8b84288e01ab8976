"""Pictures of a game's text, with a cell for each character, as large as the text allows."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from openenv_gym.errors import missing_package

try:
    from PIL import Image, ImageDraw, ImageFont
except ImportError as error:
    raise missing_package("Rendering OpenSpiel as rgb_array", "pillow", "openspiel") from error

WIDTH = 640
HEIGHT = 480
"""Size of a picture in pixels."""

_PAPER = (250, 249, 245)
_INK = (30, 30, 36)
_MARGIN = 16
_NARROW = 0.6  # width of a cell, relative to its height
_SMALLEST, _LARGEST = 8, 40  # height of a cell in pixels


def draw(text: str) -> NDArray[np.uint8]:
    """Draw a text with characters of equal width, so that boards keep their shape.

    Args:
        text: One or more lines. A part that does not fit even in the smallest letters is left out.

    Returns:
        (480, 640, 3) uint8.
    """
    lines = text.expandtabs(4).splitlines() or [""]
    longest = max(1, *map(len, lines))
    room = (WIDTH - 2 * _MARGIN) / longest / _NARROW, (HEIGHT - 2 * _MARGIN) / len(lines)
    height = max(_SMALLEST, min(_LARGEST, int(min(room))))
    width = max(1, int(height * _NARROW))
    picture = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    picture[:] = _PAPER
    for row, line in enumerate(lines[: (HEIGHT - 2 * _MARGIN) // height]):
        top = _MARGIN + row * height
        for column, character in enumerate(line[: (WIDTH - 2 * _MARGIN) // width]):
            if not character.isspace():
                left = _MARGIN + column * width
                cell = _cell(character, width, height)
                picture[top : top + height, left : left + width] = cell
    return picture


@functools.lru_cache(maxsize=2048)
def _cell(character: str, width: int, height: int) -> NDArray[np.uint8]:
    image = Image.new("RGB", (width, height), _PAPER)
    font = ImageFont.load_default(size=height * 0.8)
    pen = ImageDraw.Draw(image)
    pen.text((width / 2, height * 0.75), character, font=font, fill=_INK, anchor="ms")
    return np.asarray(image, dtype=np.uint8)
