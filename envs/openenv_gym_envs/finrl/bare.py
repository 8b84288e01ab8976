"""FinRL's StockTradingEnv on a DataFrame, as FinRL makes it, with our shares and years."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import numpy as np

from openenv_gym_envs.comparison import Comparison, Player

TICKERS = ["AAPL", "GOOG", "IBM", "MSFT"]
INDICATORS = ["macd", "rsi_30", "cci_30", "dx_30"]
DAYS = 1718  # the first four fifths


def stock_trading_env() -> Any:
    """Return FinRL's class. The package itself cannot be imported without clients of brokers."""
    spec = importlib.util.find_spec("finrl")
    assert spec is not None
    package = ModuleType("finrl")
    package.__path__ = list(spec.submodule_search_locations or ())
    sys.modules["finrl"] = package
    from finrl.meta.env_stock_trading.env_stocktrading import StockTradingEnv

    return StockTradingEnv


def frame() -> Any:
    """Return adjusted prices and indicators, a row a day and share, numbered by the day."""
    import pandas as pd
    from bokeh_sampledata import package_csv
    from stockstats import StockDataFrame

    table = package_csv("stocks.csv.gz").rename(columns=str.lower)
    shares = []
    for ticker in TICKERS:
        share = table[table["ticker"] == ticker].set_index("date")
        prices = share[["open", "high", "low", "close"]]
        prices = prices.mul(share["adj close"] / share["close"], axis=0)
        prices["close"] = share["adj close"]
        stock = StockDataFrame.retype(prices.copy())
        columns = {"tic": ticker, "close": prices["close"]}
        shares.append(pd.DataFrame({**columns, **{name: stock[name] for name in INDICATORS}}))
    days = sorted(set.intersection(*(set(share.index) for share in shares)))[:DAYS]
    joined = pd.concat([share.loc[days] for share in shares]).reset_index()
    joined = joined.sort_values(["date", "tic"])
    joined.index = pd.Index(joined["date"].factorize()[0])
    return joined


class Shares(Player):
    def __init__(self) -> None:
        count = len(TICKERS)
        self._env = stock_trading_env()(
            df=frame(),
            stock_dim=count,
            hmax=100,
            initial_amount=100_000,
            num_stock_shares=[0] * count,
            buy_cost_pct=[0.001] * count,
            sell_cost_pct=[0.001] * count,
            reward_scaling=1e-4,
            state_space=1 + count * (2 + len(INDICATORS)),
            action_space=count,
            tech_indicator_list=INDICATORS,
            print_verbosity=sys.maxsize,
        )
        self._env.action_space.seed(0)

    def reset(self) -> None:
        state, _ = self._env.reset()
        self._observation = np.array(state, np.float32)

    def choose(self) -> Any:
        return self._env.action_space.sample()

    def step(self, action: Any) -> bool:
        state, self._reward, terminated, _, _ = self._env.step(action)
        self._observation = np.array(state, np.float32)
        return bool(terminated)


COMPARISONS = (Comparison("FinRL", "openenv/FinRL-v0", Shares, bar=0.9),)
