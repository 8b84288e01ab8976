"""A market in the form that FinRL's environment reads, but faster than a ``DataFrame``.

In each step FinRL asks its ``DataFrame`` for the same few values of a day, and pandas takes almost
a tenth of a millisecond for each of them. This module looks them up.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from openenv_gym_envs.finrl.market import Market


class _Column:
    """A column of all days, or of the shares on one day."""

    def __init__(self, items: Iterable[Any]) -> None:
        self._items = list(items)

    @property
    def values(self) -> _Column:
        return self

    def tolist(self) -> list[Any]:
        return self._items

    def unique(self) -> list[Any]:
        return self._items


class _Day:
    """A row for each share. For a single share pandas returns values in place of columns."""

    def __init__(self, date: str, close: list[float], indicators: dict[str, list[float]]) -> None:
        def column(items: list[Any]) -> Any:
            return _Column(items) if len(close) > 1 else items[0]

        self.date: Any = column([date])
        self.close = column(close)
        self._indicators = {name: column(values) for name, values in indicators.items()}

    def __getitem__(self, name: str) -> Any:
        return self._indicators[name]


class Days:
    """Replaces the ``df`` of FinRL's environment, which has a row for each day and share.

    Args:
        market: The prices and indicators.
    """

    def __init__(self, market: Market) -> None:
        self._dates = market.dates
        self._close = market.close.tolist()
        self._indicators = {name: values.tolist() for name, values in market.indicators.items()}
        self.index = _Column(range(len(market.dates)))
        self.tic = _Column(market.tickers)

    @property
    def loc(self) -> Days:
        """This object, which is indexed by ``loc[day, :]``."""
        return self

    def __getitem__(self, key: tuple[int, slice]) -> _Day:
        day = key[0]
        indicators = {name: values[day] for name, values in self._indicators.items()}
        return _Day(self._dates[day], self._close[day], indicators)
