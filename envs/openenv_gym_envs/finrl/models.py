"""Models of the FinRL environment; field names are those of OpenEnv.

Their Spaces are those of the default options; other options have other numbers of shares.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from gymnasium.spaces import Box, Space

from openenv_gym.models import Action, Array, Info, Observation, State

INDICATORS = ("macd", "rsi_30", "cci_30", "dx_30")
"""Technical indicators of each share, by their names in stockstats."""

CONFIG = {"stock_dim", "initial_amount", "action_space", "state_space", "tech_indicators"}
"""Fields of the state that ``GET /config`` returns too, as in OpenEnv."""

TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")
"""Shares of the default options."""


def action_space(shares: int) -> Space[np.ndarray]:
    """Return the Space of actions on so many shares."""
    return Box(-1, 1, (shares,), np.float32)


def state_space(shares: int) -> Space[np.ndarray]:
    """Return the Space of observations of so many shares."""
    return Box(-np.inf, np.inf, (1 + shares * (2 + len(INDICATORS)),), np.float32)


class FinRLAction(Action):
    """The orders of a day.

    Attributes:
        actions: (shares,) float32, -1 to 1: for each share the part of ``hmax`` to buy, or to sell
            where it is negative. Numbers are rounded towards 0.
    """

    actions: Annotated[Array, action_space(len(TICKERS))]


class FinRLObservation(Observation):
    """A day, at its close.

    Attributes:
        state: (1 + 6 x shares,) float32: the cash; the prices; the numbers of shares held; then
            each indicator of all shares, in the order of :data:`INDICATORS`.
        portfolio_value: The cash and the value of the shares together.
        date: The day, such as ``"2010-01-04"``.
    """

    state: Annotated[Array, state_space(len(TICKERS))]
    portfolio_value: Annotated[float, Info()] = 0.0
    date: Annotated[str, Info()] = ""


class FinRLState(State):
    """The settings of the market, with the fields of OpenEnv's ``GET /config``.

    Attributes:
        stock_dim: Number of shares to trade.
        initial_amount: Cash at the start.
        action_space: Length of an action.
        state_space: Length of an observation.
        tech_indicators: Names of the indicators, in their order.
        tickers: Names of the shares, in their order.
        start: First day of an episode.
        end: Last day of an episode.
        days: Number of days of an episode, both included.
    """

    stock_dim: int
    initial_amount: float
    action_space: int
    state_space: int
    tech_indicators: list[str]
    tickers: list[str]
    start: str
    end: str
    days: int
