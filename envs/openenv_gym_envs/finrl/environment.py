"""The FinRL environment: FinRL's own environment, with models and a market."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from typing import Annotated, Any, Optional

import numpy as np
from gymnasium.spaces import Space
from numpy.typing import NDArray
from pydantic import AfterValidator, Field

from openenv_gym.environment import Environment
from openenv_gym.models import ClientOption
from openenv_gym_envs.finrl.days import Days
from openenv_gym_envs.finrl.market import Split, choose, load
from openenv_gym_envs.finrl.models import (
    CONFIG,
    INDICATORS,
    FinRLAction,
    FinRLObservation,
    FinRLState,
    action_space,
    state_space,
)
from openenv_gym_envs.finrl.trading import StockTradingEnv


def _is_date(text: str) -> str:
    return datetime.date.fromisoformat(text).isoformat()


_Date = Annotated[str, AfterValidator(_is_date)]
_ClientDay = Optional[Annotated[str, Field(max_length=10)]]  # noqa: UP045  # pyright's plea
_Day = Annotated[_Date | None, ClientOption(_ClientDay)]
_Cost = Annotated[float, Field(ge=0, lt=1), ClientOption()]
_Amount = Annotated[
    float,
    Field(gt=0, allow_inf_nan=False),
    ClientOption(Annotated[float, Field(gt=0, le=10**12)]),
]
# What a client of a server may ask for.
_Tickers = Annotated[
    list[Annotated[str, Field(max_length=16)]], Field(min_length=1, max_length=100)
]


class FinRLEnvironment(Environment[FinRLAction, FinRLObservation, FinRLState]):
    """A portfolio of cash and shares over some years; a step is a day.

    Orders are carried out at the close of the day that the agent sees: sales first, the largest
    first, then purchases likewise, in whole shares and as far as shares and cash suffice. The
    reward is the portfolio's gain up to the next close, times ``reward_scaling``. All of that is
    FinRL's ``StockTradingEnv``, as is the last step: on the last day nothing is traded any more,
    and the step returns the reward of the one before again. Nothing is random.

    Args:
        tickers: Names of the shares, in the order of the actions; by default AAPL, GOOG, IBM and
            MSFT, or all of ``data``.
        split: ``"train"``: the first 80 % of the days that the shares have in common. ``"eval"``:
            the others. By default all between ``start`` and ``end`` or, without these,
            ``"train"``.
        start: First day, such as ``"2009-01-01"``, or the next day of trade.
        end: Last day.
        initial_amount: Cash at the start.
        hmax: Most shares of a kind that a step buys or sells.
        buy_cost_pct: Cost of a purchase, as a part of its price: 0.001 is a tenth of a percent.
        sell_cost_pct: Cost of a sale.
        reward_scaling: Reward for each unit of money gained.
        data: Path of a CSV file with prices of your own, in the columns date, tic, open, high, low
            and close; and adjcp if the prices are not adjusted.

    Raises:
        OptionError: The file has another form or lacks a share, or fewer than two days are left.
    """

    render_modes = ("rgb_array",)

    def __init__(
        self,
        tickers: Annotated[
            Annotated[list[str], Field(min_length=1)] | None, ClientOption(_Tickers | None)
        ] = None,
        split: Annotated[Split | None, ClientOption()] = None,
        start: _Day = None,
        end: _Day = None,
        initial_amount: _Amount = 100_000,
        hmax: Annotated[int, Field(ge=1, le=10**9), ClientOption()] = 100,
        buy_cost_pct: _Cost = 0.001,
        sell_cost_pct: _Cost = 0.001,
        reward_scaling: _Amount = 1e-4,
        data: str | None = None,
    ) -> None:
        if split is None and start is None and end is None:
            split = "train"
        self._market = choose(load(data, tickers), split, start, end)
        self._initial_amount = initial_amount
        self._buy_cost = buy_cost_pct
        self._shares = shares = len(self._market.tickers)
        self._trading = StockTradingEnv(
            df=Days(self._market),
            stock_dim=shares,
            hmax=hmax,
            initial_amount=initial_amount,
            num_stock_shares=[0] * shares,
            buy_cost_pct=[buy_cost_pct] * shares,
            sell_cost_pct=[sell_cost_pct] * shares,
            reward_scaling=reward_scaling,
            state_space=1 + shares * (2 + len(INDICATORS)),
            action_space=shares,
            tech_indicator_list=list(INDICATORS),
            print_verbosity=sys.maxsize,  # episodes between two summaries that FinRL prints
        )
        self._steps = 0
        self._episode_id: str | None = None

    def spaces(self) -> Mapping[str, Space[Any]]:
        """The Spaces of actions and observations, sized by the number of shares."""
        return {"actions": action_space(self._shares), "state": state_space(self._shares)}

    def config(self) -> Mapping[str, Any]:
        """The fields of OpenEnv's ``GET /config``."""
        return self.state.model_dump(include=CONFIG)

    def reset(self, episode_id: str | None = None) -> FinRLObservation:
        """Begin on the first day, with cash alone.

        Args:
            episode_id: Name of the episode in :attr:`state`.
        """
        self._steps, self._episode_id = 0, episode_id
        self._trading.state_memory.clear()  # FinRL would keep the states of all episodes
        self._trading.reset()
        return self._observe(0.0, False)

    def step(self, action: FinRLAction) -> FinRLObservation:
        """Implements Environment.step."""
        self._steps += 1
        actions = np.asarray(action.actions, np.float32)
        _, reward, terminated, _, _ = self._trading.step(actions)
        return self._observe(float(reward), terminated)

    def _observe(self, reward: float, done: bool) -> FinRLObservation:
        trading = self._trading
        return FinRLObservation(
            state=np.array(trading.state, np.float32),
            portfolio_value=float(trading.asset_memory[-1]),
            date=trading.date_memory[-1],
            done=done,
            reward=reward,
        )

    @property
    def state(self) -> FinRLState:
        """The settings of the market."""
        market = self._market
        return FinRLState(
            episode_id=self._episode_id,
            step_count=self._steps,
            stock_dim=self._shares,
            initial_amount=self._initial_amount,
            action_space=self._shares,
            state_space=len(self._trading.state),
            tech_indicators=list(INDICATORS),
            tickers=list(market.tickers),
            start=market.dates[0],
            end=market.dates[-1],
            days=len(market.dates),
        )

    def render(self) -> NDArray[np.uint8] | None:
        """Draw the portfolio's value so far, and that of buying and holding.

        Buying and holding spends the same amount on each share on the first day, and buys fractions
        of shares too.

        Returns:
            (400, 640, 3) uint8.
        """
        if self.render_mode != "rgb_array":
            return None
        # Imported here, since Pillow is slow to load and only this needs it.
        from openenv_gym_envs.finrl.drawing import draw

        close = self._market.close
        amount = self._initial_amount / (1 + self._buy_cost) / self._shares
        values = np.asarray(self._trading.asset_memory, float)
        held = (close * (amount / close[0])).sum(axis=1)
        return draw(self._market.dates, values, held)
