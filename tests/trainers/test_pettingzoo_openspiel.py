"""Games of OpenSpiel in PettingZoo's form: who sees what, who may do what, who acts with whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyspiel
import pytest

from openenv_gym.errors import ActionError, OptionError
from openenv_gym.pettingzoo import aec_env, parallel_env

transports = pytest.mark.parametrize("transport", ["inprocess", "websocket"])
HIDING = ["kuhn_poker(players=3)", "liars_dice", "battleship", "goofspiel(imp_info=true)"]
ROCK, PAPER, SCISSORS = range(3)


@pytest.fixture
def made() -> Iterator[Callable[..., Any]]:
    """Makes games in all seats, and closes them after the test."""
    envs: list[Any] = []

    def make(form: Callable[..., Any], game: str, **keywords: Any) -> Any:
        envs.append(form("openenv/OpenSpiel-v0", game=game, opponent="self", **keywords))
        return envs[-1]

    yield make
    for env in envs:
        env.close()


@transports
@pytest.mark.parametrize("game", HIDING)
def test_each_agent_sees_only_its_own(made: Any, game: str, transport: str) -> None:
    """What it observes is OpenSpiel's view of its seat, whoever is to move."""
    env = made(aec_env, game, transport=transport, observation="information_state")
    env.reset(seed=1)
    loaded = pyspiel.load_game(game)
    differing = 0
    for _ in range(6):
        state = loaded.new_initial_state()
        history = iter(env.unwrapped.env.unwrapped.state()["history"])
        for action in history:
            if state.is_simultaneous_node():
                state.apply_actions([action, next(history)])
            else:
                state.apply_action(action)
        views = [env.observe(agent)["observation"] for agent in env.agents]
        for seat, seen in enumerate(views):
            np.testing.assert_array_equal(seen, state.information_state_tensor(seat))
        differing += not np.array_equal(views[0], views[1])
        observation, _, over, _, info = env.last()
        assert not {"observations", "action_mask", "action_masks"} & info.keys()
        if over:
            break
        first_or_last = -1 if env.agent_selection == "player_1" else 0
        env.step(int(np.flatnonzero(observation["action_mask"])[first_or_last]))
    assert differing


def test_text_is_seen_by_its_player_alone(made: Any) -> None:
    env = made(aec_env, "leduc_poker", observation="text")
    env.reset(seed=0)
    one, other = (env.observe(agent)["observation"] for agent in env.agents)
    assert "[Observer: 0]" in one
    assert "[Observer: 1]" in other


@transports
def test_agents_who_act_at_once(made: Any, transport: str) -> None:
    env = made(parallel_env, "matrix_rps", transport=transport)
    observations, _ = env.reset(seed=0)
    for agent in env.agents:
        assert observations[agent]["action_mask"].tolist() == [1, 1, 1]
    _, rewards, terminated, truncated, _ = env.step({"player_0": PAPER, "player_1": ROCK})
    assert rewards == {"player_0": 1.0, "player_1": -1.0}
    assert all(terminated.values())
    assert not any(truncated.values())
    assert env.agents == []


def test_agents_who_act_at_once_are_asked_in_turn_as_aec(made: Any) -> None:
    """The second does not see what the first chose, and rewards come when both have chosen."""
    env = made(aec_env, "matrix_rps")
    views = []
    for first in (ROCK, PAPER):
        env.reset(seed=0)
        env.step(first)
        assert env.agent_selection == "player_1"
        assert env.rewards == {"player_0": 0.0, "player_1": 0.0}
        views.append(env.observe("player_1")["observation"])
    np.testing.assert_array_equal(*views)
    env.step(SCISSORS)
    assert env.rewards == {"player_0": -1.0, "player_1": 1.0}


@pytest.mark.parametrize("wrong", [{}, {"player_1": 3}, {"player_1": "rock"}])
def test_a_round_is_played_whole_or_not_at_all(made: Any, wrong: dict[str, Any]) -> None:
    env = made(parallel_env, "matrix_rps")
    env.reset(seed=0)
    with pytest.raises(ActionError, match="player_1"):
        env.step({"player_0": ROCK, **wrong})
    _, rewards, *_ = env.step({"player_0": ROCK, "player_1": SCISSORS})
    assert rewards == {"player_0": 1.0, "player_1": -1.0}


def test_an_action_that_is_not_legal_costs_only_who_chose_it(made: Any) -> None:
    env = made(parallel_env, "goofspiel(num_cards=3,imp_info=false,points_order=descending)")
    env.reset(seed=0)
    env.step({"player_0": 0, "player_1": 1})
    _, rewards, terminated, *_ = env.step({"player_0": 2, "player_1": 1})
    assert rewards["player_0"] == 0.0
    assert rewards["player_1"] < 0
    assert all(terminated.values())


def test_each_has_the_mask_of_its_own_choices(made: Any) -> None:
    """In this game who has no coins left can only pass."""
    env = made(parallel_env, "oshi_zumo(coins=2,size=1)")
    observations, _ = env.reset(seed=0)
    observations, *_ = env.step({"player_0": 2, "player_1": 1})
    masks = {agent: seen["action_mask"].tolist() for agent, seen in observations.items()}
    assert masks == {"player_0": [1, 0, 0], "player_1": [1, 1, 0]}


def test_a_game_of_one_is_refused(made: Any) -> None:
    with pytest.raises(OptionError, match="one player"):
        made(aec_env, "catch")
    with pytest.raises(OptionError, match=r'one player.*opponent="self"'):
        aec_env("openenv/OpenSpiel.tic_tac_toe-v0")
