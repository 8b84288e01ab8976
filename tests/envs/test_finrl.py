from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import gymnasium
import httpx
import numpy as np
import pandas as pd
import pytest
from stockstats import StockDataFrame

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import MissingDependencyError, OptionError
from openenv_gym.registry import ENVIRONMENTS, load
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Open
from openenv_gym_envs.finrl import FinRLAction, FinRLEnv
from openenv_gym_envs.finrl.environment import FinRLEnvironment
from openenv_gym_envs.finrl.market import Market, choose
from openenv_gym_envs.finrl.market import load as load_market
from openenv_gym_envs.finrl.models import INDICATORS, TICKERS
from openenv_gym_envs.finrl.trading import StockTradingEnv
from tests.servers import serving

ID = "openenv/FinRL-v0"
SHIPPED = ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


def started(**options: Any) -> OpenEnvGym:
    return OpenEnvGym(ID, **options)


def written(path: Path, *rows: str, columns: str = "date,tic,open,high,low,close") -> str:
    """The path of a CSV file of these rows."""
    path.write_text("\n".join([columns, *rows]) + "\n")
    return str(path)


def priced(path: Path, **prices: list[float]) -> str:
    """The path of a CSV file of shares with these closing prices, from Monday 2024-01-01 on."""
    days = pd.bdate_range("2024-01-01", periods=max(map(len, prices.values())))
    rows = [
        f"{day:%Y-%m-%d},{ticker},{close},{close + 1},{close - 1},{close}"
        for ticker, closes in prices.items()
        for day, close in zip(days, closes, strict=False)
    ]
    return written(path, *rows)


def frame(market: Market) -> pd.DataFrame:
    """The market as FinRL has it."""
    shares = []
    for number, ticker in enumerate(market.tickers):
        columns = {"date": market.dates, "tic": ticker, "close": market.close[:, number]}
        reported = {name: values[:, number] for name, values in market.indicators.items()}
        shares.append(pd.DataFrame({**columns, **reported}))
    return pd.concat(shares).sort_index(kind="stable")


# FinRL's rules.


@pytest.mark.parametrize("tickers", [["IBM"], list(TICKERS), SHIPPED])
def test_an_episode_is_as_in_finrl(tickers: list[str]) -> None:
    """On the frame that it is made for, bit for bit."""
    count = len(tickers)
    options: dict[str, Any] = {"hmax": 300, "initial_amount": 50_000, "reward_scaling": 1e-3}
    ours = FinRLEnvironment(tickers, "eval", buy_cost_pct=0.002, sell_cost_pct=0.003, **options)
    theirs = StockTradingEnv(
        df=frame(choose(load_market(None, tickers), "eval", None, None)),
        stock_dim=count,
        num_stock_shares=[0] * count,
        buy_cost_pct=[0.002] * count,
        sell_cost_pct=[0.003] * count,
        state_space=1 + 6 * count,
        action_space=count,
        tech_indicator_list=list(INDICATORS),
        print_verbosity=sys.maxsize,
        **options,
    )
    rng = np.random.default_rng(1)
    for _ in range(2):
        state, _ = theirs.reset()
        observed, steps = ours.reset(), 0
        assert np.array_equal(observed.state, np.array(state, np.float32))
        while not observed.done:
            action = rng.uniform(-1, 1, count).astype(np.float32)
            observed, steps = ours.step(FinRLAction(actions=action)), steps + 1
            state, reward, terminated, truncated, _ = theirs.step(action)
            assert np.array_equal(observed.state, np.array(state, np.float32))
            assert observed.reward == reward
            assert (observed.done, observed.truncated) == (terminated, truncated)
            assert observed.date == str(theirs._get_date())
            worth = state[0] + np.dot(state[1 : count + 1], state[count + 1 : 2 * count + 1])
            assert observed.portfolio_value == pytest.approx(worth, rel=1e-12)
        assert steps == ours.state.days == len(theirs.df.index.unique())


def test_orders(tmp_path: Path) -> None:
    data = priced(tmp_path / "own.csv", A=[10, 20, 40], B=[100, 50, 50])
    env = started(data=data, split=None, start="2024-01-01", initial_amount=1000, hmax=40)
    observation, info = env.reset()
    assert observation[:5].tolist() == [1000, 10, 100, 0, 0]
    assert info == {"portfolio_value": 1000.0, "date": "2024-01-01"}
    # 40 of A; of B what the cash is enough for, 5 at 100.1; 40.1 % of 40 would be 16.
    observation, reward, terminated, _, info = env.step(np.array([1, 0.401], np.float32))
    cash = 1000 - 40 * 10 * 1.001 - 5 * 100 * 1.001
    assert observation[:5] == pytest.approx([cash, 20, 50, 40, 5])
    assert info["portfolio_value"] == pytest.approx(cash + 40 * 20 + 5 * 50)
    assert reward == pytest.approx((info["portfolio_value"] - 1000) * 1e-4)
    assert not terminated
    # More cannot be sold than there is; half an order of one share is none.
    observation, reward, _, _, info = env.step(np.array([-1, -0.02], np.float32))
    assert observation[:5] == pytest.approx([cash + 40 * 20 * 0.999, 40, 50, 0, 5])
    assert info["date"] == "2024-01-03"
    # On the last day nothing is traded, and FinRL gives the reward once more.
    last = env.step(np.array([1, 1], np.float32))
    assert np.array_equal(last[0], observation)
    assert last[1:] == (reward, True, False, info)
    env.close()


def test_an_episode_leaves_nothing_behind(capsys: pytest.CaptureFixture[str]) -> None:
    env = FinRLEnvironment(["FB"], "eval")
    for _ in range(12):
        observed = env.reset()
        while not observed.done:
            observed = env.step(FinRLAction(actions=np.array([1.0], np.float32)))
    env.reset()
    assert env._trading.state_memory == []
    assert capsys.readouterr().out == ""


# Prices and indicators.


def test_shipped_prices_are_adjusted() -> None:
    """Apple's shares were split on 2005-02-28, at 88 dollars."""
    market = load_market(None, ["AAPL"])
    at = market.dates.index("2005-02-28")
    close = market.close[:, 0]
    assert 0.9 < close[at] / close[at - 1] < 1.1
    assert close[-1] == 56.137353095488
    assert (market.dates[0], len(market.dates)) == ("2000-03-01", 3270)


@pytest.mark.parametrize("tickers", [["MSFT"], SHIPPED, ["MSFT", "AAPL"]])
def test_indicators_are_those_of_stockstats(tickers: list[str]) -> None:
    market = load_market(None, tickers)
    assert market.tickers == tuple(tickers)
    import bokeh_sampledata

    table = bokeh_sampledata.package_csv("stocks.csv.gz")
    share = table[table["Ticker"] == tickers[0]].set_index("Date")
    prices = share[["Open", "High", "Low", "Close"]].rename(columns=str.lower)
    prices = prices.mul(share["Adj Close"] / share["Close"], axis=0)
    prices["close"] = share["Adj Close"]
    stock = StockDataFrame.retype(prices)
    for name in INDICATORS:
        assert np.array_equal(market.indicators[name][:, 0], stock[name].loc[list(market.dates)])


def test_indicators_know_nothing_of_the_days_to_come(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    prices = (100 * np.exp(np.cumsum(rng.normal(0, 0.02, 300)))).round(4).tolist()
    whole = load_market(priced(tmp_path / "whole.csv", A=prices), None)
    part = load_market(priced(tmp_path / "part.csv", A=prices[:200]), None)
    for name in INDICATORS:
        assert np.array_equal(whole.indicators[name][:200], part.indicators[name])


def test_what_was_read_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    first = load_market(priced(path, A=[10, 11, 12]), None)
    with monkeypatch.context() as patched:
        patched.setattr(pd, "read_csv", None)
        assert load_market(str(path), ["A"]).close.tolist() == first.close.tolist()
    priced(path, A=[20, 21, 22])
    os.utime(path, ns=(1, 1))
    assert load_market(str(path), None).close[:, 0].tolist() == [20, 21, 22]


def test_indicators_of_a_file_are_taken_as_they_are(tmp_path: Path) -> None:
    rows = ("2024-01-01,A,1,1,1,1,-7", "2024-01-02,A,1,1,1,1,8")
    data = written(tmp_path / "f", *rows, columns="date,tic,open,high,low,close,macd")
    market = load_market(data, None)
    assert market.indicators["macd"][:, 0].tolist() == [-7, 8]
    assert np.isfinite(market.indicators["rsi_30"]).all()


def test_days_are_those_of_all_shares(tmp_path: Path) -> None:
    data = priced(tmp_path / "f", A=[1.5, 2, 3, 4], B=[5, 6, 7])
    assert load_market(data, ["B", "A"]).close.tolist() == [[5, 1.5], [6, 2], [7, 3]]


@pytest.mark.parametrize(
    ("rows", "reported"),
    [
        (
            ["2024-01-01,A,1,1,1,1", "2024-13-01,A,1,1,1,1"],
            "line 3: date must be like",
        ),
        (["2024-01-01,A,1,1,1,x"], "line 2: close must be a number above 0"),
        (["2024-01-01,A,0,1,1,1"], "line 2: open must be a number above 0"),
        (["2024-01-01,,1,1,1,1"], "line 2: tic is missing"),
        (["2024-01-01,A,1,1,1,1"] * 2, "line 3: this day of this share"),
        (["2024-01-01,A,1,1,1,1"], "leave 1 days"),
        (["2024-01-01,A,1,1,1,1,1,1", "2024-01-01,A,1,1,1,1,1,1,1,1"], "is not a valid CSV file"),
    ],
)
def test_a_file_that_will_not_do(rows: list[str], reported: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=reported):
        started(data=written(tmp_path / "own.csv", *rows))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"lacks the column tic, open, high"):
        started(data=written(tmp_path / "f", "2024-01-01,1", columns="date,close"))
    with pytest.raises(OptionError, match=r"cannot be read: No such file.*container"):
        started(data="/no/such/file")
    (tmp_path / "empty").touch()
    for path in ("empty", ""):
        with pytest.raises(OptionError, match="is not a valid CSV file"):
            started(data=str(tmp_path / path))


# Options.


def test_training_and_evaluation_share_no_day() -> None:
    parts = [FinRLEnvironment(split=split).state for split in ("train", "eval")]  # type: ignore[arg-type]
    assert [part.start for part in parts] == ["2004-08-19", "2011-06-15"]
    assert [part.end for part in parts] == ["2011-06-14", "2013-03-01"]
    assert sum(part.days for part in parts) == len(load_market(None, None).dates) == 2148
    assert FinRLEnvironment().state == parts[0]


def test_first_and_last_day() -> None:
    state = FinRLEnvironment(start="2009-01-01", end="2010-01-02").state
    assert (state.start, state.end) == ("2009-01-02", "2009-12-31")
    state = FinRLEnvironment(start="2009-01-02").state
    assert (state.start, state.end) == ("2009-01-02", "2013-03-01")
    state = FinRLEnvironment(split="train", start="2011-06-01").state
    assert (state.start, state.end) == ("2011-06-01", "2011-06-14")


@pytest.mark.parametrize(
    ("options", "reported"),
    [
        ({"tickers": ["TSLA"]}, "stocks.csv.gz does not have TSLA; it has AAPL, FB, GOOG"),
        ({"tickers": ["IBM", "IBM"]}, "name each share once"),
        ({"tickers": []}, "tickers"),
        ({"split": "test"}, "'train' or 'eval'"),
        ({"start": "2009-13-01"}, "start='2009-13-01'"),
        ({"start": "2012-01-02", "split": "train"}, "leave 0 days.*2004-08-19 to 2013-03-01"),
        ({"start": "2010-01-01", "end": "2010-01-04"}, "leave 1 days"),
        ({"initial_amount": 0}, "initial_amount"),
        ({"initial_amount": float("inf")}, "initial_amount"),
        ({"hmax": 0}, "hmax"),
        ({"buy_cost_pct": 1}, "buy_cost_pct"),
        ({"sell_cost_pct": -0.1}, "sell_cost_pct"),
        ({"indicators": ["macd"]}, "'indicators' is unknown"),
    ],
)
def test_options_that_will_not_do(options: dict[str, Any], reported: str) -> None:
    with pytest.raises(OptionError, match=reported):
        started(**options)


def test_files_of_the_host_are_for_its_owner() -> None:
    session = Session("finrl", owner=False)
    with pytest.raises(OptionError, match="'data' is for the owner of the server alone"):
        session.handle(Open("finrl", {"data": "/etc/passwd"}, None))


# What the user has of FinRL, Matplotlib and SB3.


def test_nothing_is_imported_or_set_for_the_user() -> None:
    code = """
import sys
from openenv_gym.env import OpenEnvGym
env = OpenEnvGym("openenv/FinRL-v0")
env.reset()
absent = {"finrl", "bokeh_sampledata", "matplotlib", "stable_baselines3", "torch", "PIL"}
assert not absent & sys.modules.keys(), absent & sys.modules.keys()
import matplotlib
assert matplotlib.rcParams._get_backend_or_none() is None
from stable_baselines3.common.vec_env import DummyVecEnv
assert DummyVecEnv.__module__ == "stable_baselines3.common.vec_env.dummy_vec_env"
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    environment.pop("MPLBACKEND", None)
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


@pytest.mark.parametrize("package", ["finrl", "pandas", "stockstats"])
def test_a_missing_package_names_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("openenv_gym_envs.finrl."):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingDependencyError, match=r"openenv-gym\[finrl\]") as caught:
        load(ENVIRONMENTS["finrl"])
    assert caught.value.fields["package"] == package


def test_without_the_shipped_prices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "bokeh_sampledata", None)
    with pytest.raises(MissingDependencyError, match=r"openenv-gym\[finrl\].*data="):
        started()
    started(data=priced(tmp_path / "f", A=[10, 11, 12])).close()


# Clients and learners.


def test_the_typed_client() -> None:
    with FinRLEnv(transport="inprocess", tickers=["IBM", "MSFT"]) as client:
        result = client.reset(episode_id="first")
        assert result.observation.state.shape == (13,)
        result = client.step(FinRLAction(actions=np.array([1, 0], np.float32)))
        assert result.observation.date == "2000-03-02"
        assert result.observation.portfolio_value > 0
        state = client.state()
        assert (state.episode_id, state.step_count) == ("first", 1)
        assert state.tech_indicators == list(INDICATORS)


def test_config_as_openenvs_server_has_it() -> None:
    options = {"tickers": ["IBM", "MSFT"], "initial_amount": 5000}
    with serving("finrl", options=options) as served:
        reported = httpx.get(f"{served.url('http')}/config", timeout=60)
    assert reported.json() == {
        "stock_dim": 2,
        "initial_amount": 5000,
        "action_space": 2,
        "state_space": 13,
        "tech_indicators": list(INDICATORS),
    }


def test_picture() -> None:
    env = started(render_mode="rgb_array", split="eval")
    env.reset()
    pictures = [env.render()]
    for _ in range(100):
        env.step(np.array([1, 1, 0, -1], np.float32))
    pictures.append(env.render())
    env.close()

    def count(picture: Any, color: tuple[int, int, int]) -> int:
        return int((np.abs(picture.astype(int) - color).sum(axis=2) < 60).sum())

    for picture in pictures:
        assert picture.shape == (400, 640, 3)
        assert picture.dtype == np.uint8
    for color in ((31, 119, 180), (255, 127, 14)):  # the portfolio's, and that of holding
        assert count(pictures[1], color) > count(pictures[0], color) + 100


def test_sb3_learns_on_it() -> None:
    pytest.importorskip("stable_baselines3")
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_checker import check_env

    env = gymnasium.make(ID, hmax=1000)
    check_env(env)
    learner = PPO("MlpPolicy", env, n_steps=128, batch_size=64, n_epochs=2, seed=0, device="cpu")
    before = [part.detach().clone() for part in learner.policy.parameters()]
    learner.learn(512)
    assert learner.num_timesteps == 512
    after = list(learner.policy.parameters())
    assert any(not bool((a == b).all()) for a, b in zip(before, after, strict=True))
    env.close()
