"""PettingZoo: its own tests, who gets which reward, and what is refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import gymnasium
import numpy as np
import pytest
from pettingzoo import AECEnv

from openenv_gym.errors import ActionError, EnvironmentFailedError, OptionError, RegistryError
from openenv_gym.pettingzoo import aec_env, parallel_env
from openenv_gym_envs.chess.moves import UCI_MOVES

with warnings.catch_warnings():
    # Its tests import a game of its own in a way that it calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

CONNECT4 = ("openenv/Connect4-v0", {})
CHESS = ("openenv/Chess-v0", {"opponent": "self", "max_plies": 40})
NIM = ("tests.trainers.games:openenv-test/Nim-v0", {})

OPENSPIEL = {
    "tic_tac_toe": "openenv/OpenSpiel.tic_tac_toe-v0",
    "backgammon": "openenv/OpenSpiel.backgammon-v0",  # with dice
    "kuhn_poker": "openenv/OpenSpiel.kuhn_poker-v0",  # with hidden cards
    "hearts": "openenv/OpenSpiel.hearts-v0",  # of four
    "matching_pennies": "openenv/OpenSpiel.matching_pennies_3p-v0",  # of three, who act at once
    "markov_soccer": "openenv/OpenSpiel.markov_soccer-v0",  # act at once, for long
}
GAMES = {
    "connect4": CONNECT4,
    "chess": CHESS,
    **{name: (id, {"opponent": "self"}) for name, id in OPENSPIEL.items()},
}

games = pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
transports = pytest.mark.parametrize("transport", ["inprocess", "websocket"])

# api_test gives an unknown reset option, and warns of what is so in the games of PettingZoo too: it
# spares those by name. An empty board is all zeros, and nobody may move once a game is over.
remarks = pytest.mark.filterwarnings(
    "ignore:.*'options' is unknown.*left out:UserWarning",
    "ignore:Observation is not a NumPy array:UserWarning",
    "ignore:Observation space for each agent probably should be:UserWarning",
    "ignore:Observation numpy array is all zeros:UserWarning",
    "ignore:Observation is a single number:UserWarning",  # of a matrix game
    "ignore:Action mask numpy array is all zeros:UserWarning",
    "ignore:The observation contains negative numbers:UserWarning",
)

Env = AECEnv[str, Any, Any]


@games
@transports
@remarks
def test_pettingzoos_own_tests(game: tuple[str, dict[str, Any]], transport: str) -> None:
    id, options = game
    env = aec_env(id, transport=transport, **options)
    api_test(env, num_cycles=60)
    env.close()
    seed_test(lambda: aec_env(id, transport=transport, **options), num_cycles=60)


@games
@transports
@remarks
def test_pettingzoos_own_tests_of_parallel_environments(
    game: tuple[str, dict[str, Any]], transport: str
) -> None:
    id, options = game
    env = parallel_env(id, transport=transport, **options)
    parallel_api_test(env, num_cycles=60)
    env.close()
    parallel_seed_test(lambda: parallel_env(id, transport=transport, **options), num_cycles=60)


def play(env: Env, actions: list[int], seed: int = 0) -> dict[str, float]:
    """Plays the actions, and then the game's end where it is over; gives the agents' returns."""
    env.reset(seed=seed)
    returns = dict.fromkeys(env.possible_agents, 0.0)
    for action in actions:
        returns[env.agent_selection] += env.last()[1]
        env.step(action)
    for agent in env.agents:
        returns[agent] += env.unwrapped._cumulative_rewards[agent]
    return returns


def test_who_connects_four_wins_and_the_other_loses() -> None:
    env = aec_env("openenv/Connect4-v0")
    assert play(env, [0, 1, 0, 1, 0, 1, 0]) == {"player_0": 1.0, "player_1": -1.0}
    assert play(env, [6, 0, 1, 0, 1, 0, 1, 0]) == {"player_0": -1.0, "player_1": 1.0}
    assert env.terminations == {"player_0": True, "player_1": True}
    assert env.agent_selection == "player_0"  # who learns of it first is who did not move
    env.step(None)
    env.step(None)
    assert env.agents == []
    env.close()


def test_an_illegal_action_costs_only_who_chose_it() -> None:
    connect4 = aec_env("openenv/Connect4-v0")
    assert play(connect4, [0] * 7) == {"player_0": -1.0, "player_1": 0.0}
    assert connect4.terminations["player_1"]
    connect4.close()

    chess = aec_env("openenv/Chess-v0", opponent="self")
    returns = play(chess, [UCI_MOVES.index("e2e4"), UCI_MOVES.index("e2e4")])
    assert returns == {"player_0": 0.0, "player_1": pytest.approx(-0.1)}
    assert chess.agent_selection == "player_1"  # and tries again
    assert not any(chess.terminations.values())
    chess.close()


def test_who_is_mated_loses() -> None:
    env = aec_env("openenv/Chess-v0", opponent="self")
    moves = [UCI_MOVES.index(move) for move in ["f2f3", "e7e5", "g2g4", "d8h4"]]
    assert play(env, moves) == {"player_0": -1.0, "player_1": 1.0}
    env.close()


def test_a_game_broken_off_is_truncated_for_both() -> None:
    env = aec_env("openenv/Connect4-v0", max_episode_steps=2)
    assert play(env, [0, 1]) == {"player_0": 0.0, "player_1": 0.0}
    assert env.truncations == {"player_0": True, "player_1": True}
    assert not any(env.terminations.values())
    env.close()


@transports
def test_the_mask_is_of_whose_turn_it_is(transport: str) -> None:
    env = aec_env("openenv/Connect4-v0", transport=transport)
    env.reset(seed=0)
    for _ in range(6):
        env.step(3)
    mover, other = env.observe("player_0"), env.observe("player_1")
    assert mover["action_mask"].tolist() == [1, 1, 1, 0, 1, 1, 1]
    assert not other["action_mask"].any()
    np.testing.assert_array_equal(mover["observation"], other["observation"])
    assert env.observation_space("player_1").contains(other)
    assert env.infos["player_0"]["current_player_id"] == 0
    assert "action_mask" not in env.infos["player_0"]
    env.close()


def test_it_is_the_same_game_as_that_of_gymnasium() -> None:
    env, gym_env = aec_env("openenv/Connect4-v0"), gymnasium.make("openenv/Connect4-v0")
    env.reset(seed=3)
    gym_env.reset(seed=3)
    for column in (2, 3, 3, 5):
        env.step(column)
        observation, *_ = gym_env.step(column)
        np.testing.assert_array_equal(env.last()[0]["observation"], observation)
    env.close()
    gym_env.close()


def test_reset_options_arrive_and_unknown_ones_are_told_of() -> None:
    env = aec_env("openenv/Chess-v0", opponent="self")
    fen = "7k/5Q2/6K1/8/8/8/8/8 w - - 0 1"
    with pytest.warns(UserWarning, match="'colour' is unknown"):
        env.reset(seed=0, options={"fen": fen, "colour": "red"})
    assert env.infos["player_0"]["fen"] == fen
    with pytest.raises(OptionError, match="fen"):
        env.reset(options={"fen": "no position"})
    env.close()


def test_the_second_player_may_begin() -> None:
    env = aec_env("openenv/Chess-v0", opponent="self")
    env.reset(options={"fen": "7k/8/6K1/8/5Q2/8/8/8 b - - 0 1"})
    assert env.agent_selection == "player_1"
    env.close()


@transports
def test_games_of_more_than_two_tell_the_rewards_themselves(transport: str) -> None:
    env = aec_env(NIM[0], players=3, rewards=True, transport=transport)
    returns = play(env, [2, 2, 2, 2, 2])
    assert returns == {"player_0": -0.5, "player_1": 1.0, "player_2": -0.5}
    assert env.agent_selection == "player_2"
    env.close()


def test_masks_of_actions_that_do_not_begin_at_0() -> None:
    env = aec_env(NIM[0])
    assert play(env, [2, 2, 2, 2, 1, 2]) == {"player_0": 0.0, "player_1": -0.5}
    assert play(env, [2, 2, 2, 2, 2]) == {"player_0": 1.0, "player_1": -1.0}
    env.close()


def test_what_an_environment_must_tell() -> None:
    silent = aec_env(NIM[0], turns=False)
    with pytest.raises(EnvironmentFailedError, match="current_player_id"):
        silent.reset()
    silent.close()
    three = aec_env(NIM[0], players=3)
    three.reset()
    with pytest.raises(EnvironmentFailedError, match="rewards"):
        three.step(1)
    three.close()


def test_an_action_outside_of_the_space_changes_nothing() -> None:
    env = aec_env("openenv/Connect4-v0")
    env.reset(seed=0)
    with pytest.raises(ActionError):
        env.step(7)
    assert env.agent_selection == "player_0"
    env.step(0)
    assert env.agent_selection == "player_1"
    env.close()


@pytest.mark.parametrize("make", [aec_env, parallel_env])
def test_what_is_no_game_is_refused(make: Any) -> None:
    with pytest.raises(OptionError, match=r'one player .*opponent="self"'):
        make("openenv/Chess-v0")
    with pytest.raises(OptionError, match="CartPole-v1 has one player"):
        make("CartPole-v1")
    with pytest.raises(RegistryError, match="Did you mean: `Chess`"):
        make("openenv/Ches-v0")
    with pytest.raises(RegistryError, match="no_such_module"):
        make("no_such_module:acme/Game-v0")
    with pytest.raises(OptionError, match="oponent"):
        make("openenv/Chess-v0", oponent="self")


def test_a_game_is_rendered() -> None:
    env = aec_env("openenv/Connect4-v0", render_mode="ansi")
    env.reset(seed=0)
    env.step(3)
    assert "X" in str(env.render())
    env.close()


def test_it_is_loaded_only_when_it_is_asked_for() -> None:
    code = (
        "import sys, openenv_gym; assert 'pettingzoo' not in sys.modules\n"
        "sys.modules['pettingzoo'] = None\n"
        "from openenv_gym.errors import MissingDependencyError\n"
        "try:\n    import openenv_gym.pettingzoo\n"
        "except MissingDependencyError as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=250, check=True
    )
    assert 'pip install "openenv-gym[pettingzoo]"' in ran.stdout
