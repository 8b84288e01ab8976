"""The picture of an episode: what the portfolio is worth, beside what holding would have been."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 400
"""Of a picture, in pixels."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 56, 20, 36  # margins, in pixels
_SCALE = 2  # drawn larger and reduced: Pillow itself draws lines without smoothing
_PAPER, _GRID, _TEXT = (255, 255, 255), (226, 229, 233), (70, 76, 84)
_PORTFOLIO, _HOLDING = (31, 119, 180), (255, 127, 14)
_TICKS = 4

Color = tuple[int, int, int]


class _Chart:
    """The field of the curves within the picture.

    Args:
        days: How many days it is wide.
        low: The least value to be in it.
        high: The largest.
    """

    def __init__(self, days: int, low: float, high: float) -> None:
        self.image = Image.new("RGB", (WIDTH * _SCALE, HEIGHT * _SCALE), _PAPER)
        self._canvas = ImageDraw.Draw(self.image)
        self._font = ImageFont.load_default(12 * _SCALE)
        self._days, self._low, self._high = days, low, high

    def _x(self, day: int) -> float:
        return (_LEFT + (WIDTH - _LEFT - _RIGHT) * day / (self._days - 1)) * _SCALE

    def _y(self, value: float) -> float:
        part = (value - self._low) / (self._high - self._low)
        return (HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * part) * _SCALE

    def curve(self, values: NDArray[np.float64], color: Color) -> None:
        """Draws values from the first day on."""
        points = [(self._x(day), self._y(float(value))) for day, value in enumerate(values)]
        for pair in pairwise(points):
            self._canvas.line(pair, fill=color, width=2 * _SCALE)
        x, y = points[-1]
        radius = 3 * _SCALE
        self._canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def level(self, value: float) -> None:
        """Draws a horizontal line, with its value beside it."""
        y = self._y(value)
        self._canvas.line((self._x(0), y, self._x(self._days - 1), y), fill=_GRID, width=_SCALE)
        place = (self._x(0) - 8 * _SCALE, y)
        self._canvas.text(place, f"{value:,.0f}", _TEXT, self._font, anchor="rm")

    def day(self, day: int, date: str) -> None:
        """Writes a date below its place."""
        anchor = "la" if day == 0 else "ra" if day == self._days - 1 else "ma"
        place = (self._x(day), (HEIGHT - _BOTTOM + 8) * _SCALE)
        self._canvas.text(place, date, _TEXT, self._font, anchor=anchor)

    def legend(self, line: int, text: str, color: Color) -> None:
        """Says above the field what a curve is."""
        place = (_LEFT * _SCALE, (12 + 18 * line) * _SCALE)
        self._canvas.text(place, text, color, self._font)


def draw(
    dates: Sequence[str], portfolio: NDArray[np.float64], holding: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Draws an episode.

    Args:
        dates: All its days.
        portfolio: (days so far,) float64: value of the portfolio.
        holding: (days,) float64: value of what was bought on the first day and kept.

    Returns:
        (400, 640, 3) uint8.
    """
    holding = holding[: len(portfolio)]
    seen = np.concatenate([portfolio, holding])
    low, high = float(seen.min()), float(seen.max())
    room = max((high - low) * 0.05, abs(high) * 0.005)
    chart = _Chart(len(dates), low - room, high + room)
    for value in _levels(low - room, high + room):
        chart.level(value)
    for day in sorted({0, (len(dates) - 1) // 2, len(dates) - 1}):
        chart.day(day, dates[day])
    chart.curve(holding, _HOLDING)
    chart.curve(portfolio, _PORTFOLIO)
    chart.legend(0, f"portfolio {portfolio[-1]:,.2f} on {dates[len(portfolio) - 1]}", _PORTFOLIO)
    chart.legend(1, f"buy and hold {holding[-1]:,.2f}", _HOLDING)
    reduced = chart.image.resize((WIDTH, HEIGHT), Image.Resampling.BOX)
    return np.asarray(reduced, dtype=np.uint8)


def _levels(low: float, high: float) -> list[float]:
    """Round numbers between two, about as many as :data:`_TICKS`."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(power * factor for factor in (1, 2, 5) if power * factor <= rough)
    first = math.ceil(low / step)
    return [step * number for number in range(first, math.floor(high / step) + 1)]
