"""Every game that OpenSpiel registers, and every string that names a game."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pyspiel
import pytest

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import OptionError
from openenv_gym.registry import ENVIRONMENTS
from openenv_gym.testing import Env, Transition, assert_same_trajectory, play
from openenv_gym_envs.openspiel.loading import FILE_PARAMETERS, Source
from tests.servers import serving

POKER = (
    "universal_poker(betting=nolimit,bettingAbstraction=fullgame,blind=100 50,firstPlayer=2 1 1 1,"
    "numBoardCards=0 3 1 1,numHoleCards=2,numPlayers=2,numRanks=13,numRounds=4,numSuits=4,"
    "stack=2000 2000)"
)
WITH_PARAMETERS = {
    "add_noise": "add_noise(epsilon=1.0,seed=1,game=kuhn_poker())",
    "cached_tree": "cached_tree(game=kuhn_poker())",
    "coop_to_1p": "coop_to_1p(game=tiny_hanabi())",
    "efg_game": "efg_game",
    "misere": "misere(game=tic_tac_toe())",
    "nfg_game": "nfg_game",
    "normal_form_extensive_game": "normal_form_extensive_game(game=kuhn_poker())",
    "repeated_game": "repeated_game(stage_game=matrix_rps(),num_repetitions=10)",
    "repeated_poker": "repeated_poker(max_num_hands=3,reset_stacks=true,"
    f"universal_poker_game_string={POKER})",
    "restricted_nash_response": "restricted_nash_response(game=leduc_poker())",
    "start_at": "start_at(history=0;1,game=tic_tac_toe())",
    "turn_based_simultaneous_game": "turn_based_simultaneous_game(game=goofspiel())",
    "zerosum": "zerosum(game=matrix_pd())",
}
"""Games that are none without parameters."""

FILES = {
    "efg_game": """EFG 2 R "two moves" { "one" "other" }
p "" 1 1 "" { "L" "R" } 0
p "" 2 1 "" { "l" "r" } 0
t "" 1 "" { 1.0 -1.0 }
t "" 2 "" { 0.0 0.0 }
t "" 3 "" { 2.0 -2.0 }
""",
    "nfg_game": """NFG 1 R "three by two"
{ "one" "other" } { 3 2 }

1 1 0 2 0 2 1 1 0 3 2 0
""",
}
"""What games of files read."""

UNPLAYABLE = {"chat_game": "it has 2 actions", "crossword": "unimplemented"}
"""A game for language models, which speak; and one whose actions are no numbers."""

NOT_REPLAYED = {"add_noise", "start_at"}
"""Games whose history does not tell all: other noise is drawn, and the first moves are missing."""

KEEPS_WHAT_WAS_SEEN = {"python_dynamic_routing"}
"""What it shows depends on how often it was looked at before."""

MOVES = 60
SLOW = {"bridge_uncontested_bidding": 0}
"""Games that take seconds: how many moves are played. Its end is a search of a second or more."""

EVERY = sorted(pyspiel.registered_names())


def options_of(name: str, folder: Path) -> dict[str, Any]:
    options: dict[str, Any] = {"game": WITH_PARAMETERS.get(name, name)}
    if name in FILES:
        path = folder / "game"
        path.write_text(FILES[name])
        options["game_files"] = {"filename": str(path)}
    if name == "add_noise":  # no seed decides what is added to its rewards
        options["allow_unseeded"] = True
    return options


def episode(env: Env, moves: int) -> list[Transition]:
    """One seeded episode of random legal actions, or its beginning."""
    played: list[Transition] = []
    for transition in play(env, seed=3, steps=moves):
        assert env.observation_space.contains(transition.observation)
        played.append(transition)
        if transition.terminated:
            break
    return played


def replayed(game: pyspiel.Game, history: list[int]) -> pyspiel.State:
    """OpenSpiel's state after a history, in which joint actions stand one after the other."""
    state, actions = game.new_initial_state(), iter(history)
    for action in actions:
        if state.is_simultaneous_node():
            rest = [next(actions) for _ in range(game.num_players() - 1)]
            state.apply_actions([action, *rest])
        else:
            state.apply_action(action)
    return state


def assert_openspiel_agrees(env: Env, played: list[Transition], game: pyspiel.Game) -> None:
    """Asserts that OpenSpiel, given all actions, has the same returns, view and legal actions."""
    last = played[-1]
    reported = env.unwrapped.state()  # type: ignore[attr-defined]  # an OpenEnvGym
    state = replayed(game, reported["history"])
    agent = reported["agent_player"]
    total = sum(transition.reward for transition in played)
    assert total == pytest.approx(state.returns()[agent], abs=1e-9)
    assert last.terminated == state.is_terminal()
    mask = last.info["action_mask"]
    legal = [] if state.is_terminal() else state.legal_actions(agent)
    assert np.flatnonzero(mask).tolist() == legal
    name = game.get_type().short_name
    if game.get_type().provides_observation_tensor and name not in KEEPS_WHAT_WAS_SEEN:
        wanted = np.asarray(state.observation_tensor(agent), np.float32)
        np.testing.assert_array_equal(last.observation, wanted)


@pytest.mark.parametrize("name", sorted({*EVERY} - UNPLAYABLE.keys()))
def test_every_game_plays_and_a_seed_decides(name: str, tmp_path: Path) -> None:
    options = options_of(name, tmp_path)
    moves = SLOW.get(name, MOVES)
    env, again = (
        gymnasium.make("openenv/OpenSpiel-v0", disable_env_checker=True, **options)
        for _ in range(2)
    )
    played, repeated = episode(env, moves), episode(again, moves)
    if name == "add_noise":  # no seed decides what is added to its rewards
        repeated = [t._replace(reward=o.reward) for t, o in zip(repeated, played, strict=True)]
    assert_same_trajectory(repeated, played)
    assert len(played) > 1 or moves == 0
    source = Source(options["game"], options.get("game_files", {}))
    game = source.load(np.random.default_rng(0))
    if is_told_by_its_history(game):
        assert_openspiel_agrees(env, played, game)
    env.close()
    again.close()


def is_told_by_its_history(game: pyspiel.Game) -> bool:
    """The actions, those of chance among them, make the state."""
    kind = game.get_type()
    return (
        kind.dynamics != pyspiel.GameType.Dynamics.MEAN_FIELD
        and kind.chance_mode != pyspiel.GameType.ChanceMode.SAMPLED_STOCHASTIC
        and kind.short_name not in NOT_REPLAYED
    )


@pytest.mark.parametrize("name", UNPLAYABLE)
def test_a_game_that_cannot_be_played_says_why(name: str) -> None:
    with pytest.raises(OptionError, match=f"cannot play .*{name}.*{UNPLAYABLE[name]}"):
        gymnasium.make("openenv/OpenSpiel-v0", game=name)


def test_an_id_for_each_game_that_needs_no_parameters() -> None:
    loadable = {kind.short_name for kind in pyspiel.registered_games() if kind.default_loadable}
    assert ENVIRONMENTS["openspiel"].variants.keys() == loadable - UNPLAYABLE.keys()
    assert WITH_PARAMETERS.keys() == {*EVERY} - loadable
    spaces = [
        gymnasium.make(f"openenv/OpenSpiel.{name}-v0", disable_env_checker=True).observation_space
        for name in ENVIRONMENTS["openspiel"].variants
    ]
    assert sum(isinstance(space, gymnasium.spaces.Box) for space in spaces) >= 110


def test_ids_are_registered_without_the_library() -> None:
    code = (
        "import sys, gymnasium, openenv_gym\n"
        "assert 'openenv/OpenSpiel.tic_tac_toe-v0' in gymnasium.registry\n"
        "assert not {'pyspiel', 'open_spiel'} & sys.modules.keys()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=250)


def test_parameters_that_name_files_are_known() -> None:
    """A new one would let who may choose a game read files of the server."""
    looks_so = {
        parameter
        for kind in pyspiel.registered_games()
        for parameter in kind.parameter_specification
        if any(word in parameter for word in ("file", "path", "root", "dir"))
    }
    assert looks_so <= FILE_PARAMETERS | {"profile"}


@pytest.mark.parametrize(
    ("game", "said"),
    [
        ("tic_tac_to", "does not have the game 'tic_tac_to'. Did you mean .*'tic_tac_toe'"),
        ("misere(game=tic_tac_to())", "does not have the game 'tic_tac_to'"),
        ("", "does not have the game"),
        ("go(board_size=9", "not a valid game string"),
        ("go(board_size=nine)", "board_size"),
        ("go(size=9)", "size.*board_size"),
        ("connect_four(rows=0)", "ended by signal|cannot play"),
        ("misere", "Its parameters are game"),
        ("repeated_game(stage_game=matrix_rps())", "num_repetitions"),
        ("nfg_game", "game_files= names: filename"),
        ("nfg_game(filename=/etc/passwd)", "only its owner may.*game_files"),
        ("misere(game=efg_game(filename=/etc/passwd))", "only its owner may"),
        ("bridge_uncontested_bidding(rng_seed=1)", "leave rng_seed out"),
        ("misere(game=" * 2000 + ")" * 2000, "at most"),
    ],
    ids=lambda text: text[:40],
)
def test_wrong_game_strings_are_refused(game: str, said: str) -> None:
    with pytest.raises(OptionError, match=said):
        gymnasium.make("openenv/OpenSpiel-v0", game=game)


@pytest.mark.parametrize(
    ("game", "files", "said"),
    [
        ("chess", {"filename": "/tmp/a"}, "does not take filename"),
        ("efg_game", {"board_size": "9"}, "does not take board_size"),
        ("efg_game", {"filename": "/no/such/file"}, "cannot play"),
    ],
)
def test_wrong_files_are_refused(game: str, files: Mapping[str, str], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        gymnasium.make("openenv/OpenSpiel-v0", game=game, game_files=dict(files))


def test_parameters_change_the_game() -> None:
    env = gymnasium.make("openenv/OpenSpiel-v0", game="go(board_size=5,komi=2.5)")
    assert env.action_space == gymnasium.spaces.Discrete(26)
    env.reset(seed=0)
    reported = env.unwrapped.state()  # type: ignore[attr-defined]  # an OpenEnvGym
    assert (reported["game_name"], reported["game_params"]) == (
        "go",
        {"board_size": 5, "komi": 2.5},
    )
    env.close()


def test_noise_takes_no_seed() -> None:
    """It is drawn when the game ends in a way in which it did not end before."""
    env = gymnasium.make("openenv/OpenSpiel-v0", game=WITH_PARAMETERS["add_noise"])
    with pytest.raises(OptionError, match="allow_unseeded=True"):
        env.reset(seed=0)
    env.reset()
    env.close()


def test_chance_of_games_that_draw_it_themselves_is_seeded() -> None:
    """Their first cards differ between seeds, and not with one."""
    env = gymnasium.make("openenv/OpenSpiel.bridge_uncontested_bidding-v0")
    hands = {seed: env.reset(seed=seed)[0].tobytes() for seed in (0, 1, 2)}
    assert len(set(hands.values())) == 3
    for seed, hand in hands.items():
        assert env.reset(seed=seed)[0].tobytes() == hand
    env.close()


def test_a_client_cannot_have_files_of_the_server_read(tmp_path: Path) -> None:
    options = options_of("nfg_game", tmp_path)
    with serving("openspiel") as served:
        url = served.url("websocket")
        for wrong in (options, {"game": f"nfg_game(filename={tmp_path}/game)"}):
            with pytest.raises(OptionError, match=r"owner|for a client of this server"):
                gymnasium.make("openenv/OpenSpiel-v0", transport="websocket", url=url, **wrong)
    files = {"game_files": options["game_files"]}
    with serving("openspiel", options=files) as served:
        url = served.url("websocket")
        env = gymnasium.make(
            "openenv/OpenSpiel-v0", transport="websocket", url=url, game="nfg_game"
        )
        assert env.action_space == gymnasium.spaces.Discrete(3)
        env.close()
