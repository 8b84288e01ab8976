"""Daily prices and their indicators, from a package or from a file of the user.

The default shares are those of a file in ``bokeh_sampledata``, which is read without importing the
package: AAPL, IBM and MSFT from 2000-03-01, GOOG from 2004-08-19, FB from 2012-05-18, all up to
2013-03-01. Prices are adjusted for splits and dividends, as FinRL's own downloader adjusts Yahoo's.
"""

from __future__ import annotations

import importlib.util
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from stockstats import StockDataFrame

from openenv_gym.errors import MissingDependencyError, OptionError
from openenv_gym_envs.finrl.models import INDICATORS, TICKERS

TRAINING_SHARE = 0.8
"""The part of all days, from the first, that ``split="train"`` takes."""

_PRICES = ("open", "high", "low", "close")
_NAMES = {"ticker": "tic", "symbol": "tic", "adj close": "adjcp", "adj_close": "adjcp"}

Split = Literal["train", "eval"]


@dataclass(frozen=True)
class Market:
    """Shares, on the days for which all of them have prices.

    Attributes:
        tickers: Names of the shares.
        dates: The days, in order, such as ``"2010-01-04"``.
        close: (days, shares) float64: adjusted closing prices.
        indicators: (days, shares) float64, by the names of :data:`INDICATORS`.
    """

    tickers: tuple[str, ...]
    dates: tuple[str, ...]
    close: NDArray[np.float64]
    indicators: Mapping[str, NDArray[np.float64]]

    def days(self, chosen: slice) -> Market:
        """Return a market with some of the days."""
        indicators = {name: values[chosen] for name, values in self.indicators.items()}
        return Market(self.tickers, self.dates[chosen], self.close[chosen], indicators)


def load(data: str | None, tickers: Sequence[str] | None) -> Market:
    """Return the market with all its days, which later calls read from a cache.

    An indicator of a day is computed from that day's prices and from all earlier ones.

    Args:
        data: Path of a CSV file; None for the default prices.
        tickers: Names of the shares; None for all of the file, or for :data:`TICKERS`.

    Raises:
        OptionError: The file is missing, has another form, or lacks a share.
    """
    path = _shipped() if data is None else Path(data)
    try:
        changed = path.stat().st_mtime_ns
    except OSError as error:
        raise OptionError(
            f"data={data!r} cannot be read: {error.strerror}. Name a file on the machine where the "
            "environment runs; a container sees only its own files.",
            path=data,
        ) from error
    known = _table(path, changed)
    chosen = tuple(tickers or (known if data is not None else TICKERS))
    missing = [ticker for ticker in chosen if ticker not in known]
    if missing:
        raise OptionError(
            f"tickers={list(chosen)}: {path.name} does not have {', '.join(missing)}; it has "
            f"{', '.join(known)}.",
            known=list(known),
        )
    if len(set(chosen)) != len(chosen):
        raise OptionError(f"tickers={list(chosen)}: name each share once.")
    return _join(path, changed, chosen)


def choose(market: Market, split: Split | None, start: str | None, end: str | None) -> Market:
    """Return the days of a market that an episode has.

    Args:
        market: The market with all its days.
        split: ``"train"`` for the first 80 %, ``"eval"`` for the others; None for all.
        start: First day that may be among them, or None.
        end: Last day that may be among them, or None.

    Raises:
        OptionError: Fewer than two days are left.
    """
    boundary = round(TRAINING_SHARE * len(market.dates))
    first = boundary if split == "eval" else 0
    last = boundary if split == "train" else len(market.dates)
    if start is not None:
        first = max(first, bisect_left(market.dates, start))
    if end is not None:
        last = min(last, bisect_right(market.dates, end))
    if last - first < 2:
        span = f"{market.dates[0]} to {market.dates[-1]}" if market.dates else "no day"
        raise OptionError(
            f"split={split!r}, start={start!r}, end={end!r} leave {max(last - first, 0)} days, and "
            f"an episode needs two: {', '.join(market.tickers)} have {span} in common, of "
            f"{len(market.dates)} days.",
            days=max(last - first, 0),
        )
    return market.days(slice(first, last))


def _shipped() -> Path:
    spec = importlib.util.find_spec("bokeh_sampledata")  # which does not import it
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(
            "The default prices are in the package bokeh_sampledata, which is not installed here: "
            'pip install "openenv-gym[finrl]", or give a file of your own by data=.',
            package="bokeh_sampledata",
            extra="finrl",
        )
    return Path(spec.submodule_search_locations[0]) / "_data" / "stocks.csv.gz"


@lru_cache(maxsize=8)
def _table(path: Path, changed: int) -> dict[str, Any]:
    """Return a DataFrame for each share of a file, in the order of the file."""
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"data={str(path)!r} is not a valid CSV file: {error}", path=str(path)
        ) from error
    table = table.rename(columns=lambda name: _NAMES.get(name.lower(), name.lower()))
    lacking = [name for name in ("date", "tic", *_PRICES) if name not in table]
    if lacking:
        raise OptionError(
            f"data={str(path)!r} lacks the column {', '.join(lacking)}. Give date, tic, open, "
            "high, low and close, with a row for each day and share; adjcp, the adjusted close, "
            f"is optional, as are {', '.join(INDICATORS)}, which are computed where missing.",
            path=str(path),
            lacking=lacking,
        )
    dates = pd.to_datetime(table["date"], errors="coerce", format="ISO8601")
    _check(path, dates.notna(), "date must be like 2010-01-04")
    table["date"] = dates.dt.strftime("%Y-%m-%d")
    for name in (*_PRICES, *(name for name in ("adjcp", *INDICATORS) if name in table)):
        table[name] = pd.to_numeric(table[name], errors="coerce")
        any_sign = name in INDICATORS
        right = np.isfinite(table[name]) & ((table[name] > 0) | any_sign)
        _check(path, right, f"{name} must be a number{'' if any_sign else ' above 0'}")
    _check(path, table["tic"].notna(), "tic is missing")
    _check(path, ~table.duplicated(["date", "tic"]), "this day of this share has a row already")
    table["tic"] = table["tic"].astype(str)
    return {str(ticker): rows for ticker, rows in table.groupby("tic", sort=False)}


def _check(path: Path, right: Any, what: str) -> None:
    """Raise an error that names the first wrong row."""
    wrong = np.flatnonzero(~np.asarray(right, bool))
    if len(wrong):
        line = int(wrong[0]) + 2  # lines are counted from 1, and the first names the columns
        raise OptionError(f"data={str(path)!r}, line {line}: {what}.", path=str(path), line=line)


@lru_cache(maxsize=16)
def _join(path: Path, changed: int, tickers: tuple[str, ...]) -> Market:
    """Return shares of a file, on the days that they have in common."""
    histories = [_history(path, changed, ticker) for ticker in tickers]
    dates = sorted(set.intersection(*(set(history.index) for history in histories)))
    values = {
        name: np.stack([history.loc[dates, name].to_numpy(float) for history in histories], axis=1)
        for name in ("close", *INDICATORS)
    }
    return Market(tickers, tuple(dates), values.pop("close"), values)


@lru_cache(maxsize=512)
def _history(path: Path, changed: int, ticker: str) -> Any:
    """Return the adjusted close and the indicators of a share, by date."""
    rows = _table(path, changed)[ticker].sort_values("date").set_index("date")
    if "adjcp" in rows:
        ratio = rows["adjcp"] / rows["close"]
        rows[list(_PRICES)] = rows[list(_PRICES)].mul(ratio, axis=0)
        rows["close"] = rows["adjcp"]
    history = rows[["close"]].copy()
    stock = StockDataFrame.retype(rows[list(_PRICES)].copy())
    for name in INDICATORS:
        values = (rows if name in rows else stock)[name].replace([np.inf, -np.inf], np.nan)
        history[name] = values.ffill().bfill().fillna(0.0)  # as FinRL fills gaps
    return history
