"""The picture of an episode: the portfolio's value, beside that of buying and holding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 640, 400
"""Size of a picture in pixels."""

_LEFT, _TOP, _RIGHT, _BOTTOM = 84, 56, 20, 36  # margins, in pixels
_SCALE = 2  # lines are drawn larger and then reduced: Pillow draws them without smoothing
_PAPER, _GRID, _TEXT = (255, 255, 255), (226, 229, 233), (70, 76, 84)
_PORTFOLIO, _HOLDING = (31, 119, 180), (255, 127, 14)
_TICKS = 4

Color = tuple[int, int, int]


class _Chart:
    """The area of the curves within the picture.

    Args:
        days: Width in days.
        low: Lowest value to show.
        high: Highest value to show.
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
        """Draw values from the first day on."""
        points = [(self._x(day), self._y(float(value))) for day, value in enumerate(values)]
        for pair in pairwise(points):
            self._canvas.line(pair, fill=color, width=2 * _SCALE)
        x, y = points[-1]
        radius = 3 * _SCALE
        self._canvas.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def level(self, value: float) -> None:
        """Draw a horizontal line, with its value beside it."""
        y = self._y(value)
        self._canvas.line((self._x(0), y, self._x(self._days - 1), y), fill=_GRID, width=_SCALE)
        place = (self._x(0) - 8 * _SCALE, y)
        self._canvas.text(place, f"{value:,.0f}", _TEXT, self._font, anchor="rm")

    def day(self, day: int, date: str) -> None:
        """Write a date below its place."""
        anchor = "la" if day == 0 else "ra" if day == self._days - 1 else "ma"
        place = (self._x(day), (HEIGHT - _BOTTOM + 8) * _SCALE)
        self._canvas.text(place, date, _TEXT, self._font, anchor=anchor)

    def legend(self, line: int, text: str, color: Color) -> None:
        """Write above the area which curve has a colour."""
        place = (_LEFT * _SCALE, (12 + 18 * line) * _SCALE)
        self._canvas.text(place, text, color, self._font)


def draw(
    dates: Sequence[str], portfolio: NDArray[np.float64], holding: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """Draw an episode.

    Args:
        dates: All days of the episode.
        portfolio: (days so far,) float64: values of the portfolio.
        holding: (days,) float64: values of shares that were bought on the first day and kept.

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
    """Return round numbers between two values, about as many as :data:`_TICKS`."""
    rough = (high - low) / _TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    step = max(power * factor for factor in (1, 2, 5) if power * factor <= rough)
    first = math.ceil(low / step)
    return [step * number for number in range(first, math.floor(high / step) + 1)]
