"""The environment of OpenSpiel: opponents, seats, views, rewards, endings, pictures."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.errors import EpisodeError, OptionError
from openenv_gym.spaces.utf8 import Utf8
from openenv_gym.testing import same
from openenv_gym_envs.openspiel import OpenSpielAction, OpenSpielEnv, OpenSpielObservation
from openenv_gym_envs.openspiel.drawing import HEIGHT, WIDTH, draw
from openenv_gym_envs.openspiel.environment import OpenSpielEnvironment


def begun(game: str, seed: int = 0, **options: Any) -> OpenSpielEnvironment:
    env = OpenSpielEnvironment(game, **options)
    env.seed(seed)
    env.reset(seed=seed)
    return env


def act(env: OpenSpielEnvironment, *actions: int) -> OpenSpielObservation:
    for action in actions:
        observation = env.step(OpenSpielAction(action_id=action))
    return observation


def play_out(env: OpenSpielEnvironment, observation: OpenSpielObservation) -> float:
    """Plays the rest of a game at random; gives what it brought."""
    rng, total = np.random.default_rng(0), 0.0
    while not observation.done:
        observation = act(env, int(rng.choice(observation.legal_actions)))
        total += float(observation.reward or 0.0)
    return total


@pytest.mark.parametrize(
    ("opponent", "answers"), [("first", [0, 1]), ("last", [8, 7]), ("middle", [5, 3])]
)
def test_opponents_in_a_fixed_place(opponent: Any, answers: list[int]) -> None:
    env = begun("tic_tac_toe", opponent=opponent)
    assert [act(env, move).opponent_last_action for move in (4, 6)] == answers
    assert env.state.history == [4, answers[0], 6, answers[1]]
    assert env.state.opponent_policy == opponent


def test_a_random_opponent_plays_all_legal_actions() -> None:
    env = OpenSpielEnvironment("tic_tac_toe")
    env.seed(0)
    answers = set()
    for _ in range(150):
        env.reset()
        answers.add(act(env, 4).opponent_last_action)
    assert answers == {0, 1, 2, 3, 5, 6, 7, 8}


def test_mcts_is_seeded_and_does_not_lose_to_chance() -> None:
    env = OpenSpielEnvironment("tic_tac_toe", opponent="mcts", simulations=300)
    histories = []
    for seed in (0, 1, 2, 3, 0):
        env.seed(seed)
        total = play_out(env, env.reset(seed=seed))
        assert total <= 0
        histories.append(env.state.history)
    assert histories[4] == histories[0]
    assert not env.inline


@pytest.mark.parametrize(
    ("game", "lacks"),
    [
        ("kuhn_poker", "no hidden information"),
        ("goofspiel", "moves in turn"),
        ("python_tic_tac_toe", "written in Python"),
        ("negotiation", "chance that the game does not draw by itself"),
    ],
)
def test_mcts_says_which_games_it_cannot_play(game: str, lacks: str) -> None:
    with pytest.raises(OptionError, match=f"mcts.*{lacks}"):
        OpenSpielEnvironment(game, opponent="mcts")


def test_opponents_move_first_where_theirs_is_the_first_seat() -> None:
    env = begun("tic_tac_toe", opponent="first", agent_player=1)
    assert env.state.history == [0]
    assert act(env, 1).opponent_last_action == 2
    assert act(env, 3).reward == 0
    last = act(env, 5)  # 0, 2, 4 and 6: the agent lost
    assert last.opponent_last_action == 6
    assert (last.reward, last.done, last.game_phase) == (-1.0, True, "terminal")
    assert (last.legal_actions, last.current_player_id) == ([], -4)


def test_the_seat_can_be_drawn() -> None:
    env = OpenSpielEnvironment("tic_tac_toe", agent_player="random")
    seats = []
    for seed in range(12):
        env.seed(seed)
        seats.append(env.reset(seed=seed).metadata["agent_player"])
    assert set(seats) == {0, 1}
    assert env.state.agent_player == seats[-1]


def test_the_opponent_may_win_before_the_agent_moves() -> None:
    game = "start_at(history=0;3;1;4,game=tic_tac_toe())"
    env = OpenSpielEnvironment(game, opponent="first", agent_player=1)
    first = env.reset()
    assert not first.done  # a reset cannot tell it
    last = act(env, 8)
    assert (last.done, last.reward) == (True, -1.0)
    assert env.state.history == [2]  # the action came too late


def test_playing_all_seats_tells_what_each_sees_and_gets() -> None:
    env = begun("tic_tac_toe", opponent="self")
    assert env.metadata()["players"] == 2
    first = act(env, 0)
    assert first.current_player_id == 1
    assert first.opponent_last_action is None
    np.testing.assert_array_equal(first.metadata["observations"][1], first.info_state)
    last = act(env, 3, 1, 4, 2)
    assert last.reward == 1.0  # of who moved
    assert last.metadata["rewards"] == [1.0, -1.0]
    env.reset()
    assert act(env, 8, 0, 7, 1, 3, 2).metadata["rewards"] == [-1.0, 1.0]


def test_an_agent_sees_only_its_own() -> None:
    """Of two players of Kuhn's poker each sees its own card."""
    views = set()
    for seed in range(8):
        env = begun("kuhn_poker", seed, opponent="self")
        each = act(env, 0).metadata["observations"]
        assert not np.array_equal(each[0], each[1])
        cards = env.state.history[:2]
        for player, seen in enumerate(each):
            # A flag for each player, then one for each card.
            assert seen[:2].tolist() == [player == 0, player == 1]
            assert np.flatnonzero(seen[2:5]).tolist() == [cards[player]]
        views.add(tuple(cards))
    assert len(views) > 1


def test_players_who_act_at_once() -> None:
    env = begun("matrix_pd", opponent="first")  # the first action is to cooperate
    last = act(env, 1)
    assert (last.reward, last.done) == (10.0, True)
    assert env.metadata()["simultaneous"]

    env = begun("matrix_pd", opponent="self")
    halfway = act(env, 1)
    assert (halfway.current_player_id, halfway.done) == (1, False)
    assert env.state.history == []  # the game goes on when both have chosen
    assert halfway.metadata["rewards"] == [0.0, 0.0]
    assert halfway.metadata["action_masks"].tolist() == [[1, 1], [1, 1]]
    assert act(env, 1).metadata["rewards"] == [1.0, 1.0]


def test_rewards_add_up_to_the_return() -> None:
    for game in ("catch", "goofspiel(num_cards=4)", "leduc_poker", "cliff_walking(horizon=9)"):
        env = OpenSpielEnvironment(game, agent_player=0)
        env.seed(1)
        total = play_out(env, env.reset(seed=1))
        assert total == pytest.approx(env._match.state.returns()[0])


@pytest.mark.parametrize("opponent", ["random", "self"])
def test_an_illegal_action_ends_the_game_with_the_lowest_return(opponent: Any) -> None:
    env = begun("leduc_poker", opponent=opponent)  # one cannot fold before anybody raised
    last = act(env, 0)
    assert last.done
    assert last.reward == -13.0
    assert last.metadata["illegal_action"] == 0
    assert last.legal_actions == []
    if opponent == "self":
        assert last.metadata["rewards"] == [-13.0, 0.0]
    before = env.state.history
    assert act(env, 1).done  # which changes nothing
    assert env.state.history == before


def test_what_there_is_to_see_can_be_chosen() -> None:
    shapes = {}
    for kind in (None, "observation", "information_state", "text"):
        env = gymnasium.make("openenv/OpenSpiel-v0", game="kuhn_poker", observation=kind)
        shapes[kind] = env.observation_space
        observation, _ = env.reset(seed=0)
        assert env.observation_space.contains(observation)
    assert shapes[None] == shapes["observation"] == Box(-np.inf, np.inf, (7,), np.float32)
    assert shapes["information_state"] == Box(-np.inf, np.inf, (11,), np.float32)
    assert isinstance(shapes["text"], Utf8)
    assert env.action_space == Discrete(2)


def test_first_view_that_a_game_has() -> None:
    for game, kind in (("battleship", Box), ("coin_game", Utf8)):
        env = gymnasium.make("openenv/OpenSpiel-v0", game=game)
        assert isinstance(env.observation_space, kind)
        with pytest.raises(OptionError, match=r"observation='observation'.*has "):
            gymnasium.make("openenv/OpenSpiel-v0", game=game, observation="observation")


def test_text_shows_the_board() -> None:
    env = begun("tic_tac_toe", observation="text", opponent="first")
    assert act(env, 4).info_state == "o..\n.x.\n..."


def test_a_text_that_is_too_long_is_an_error() -> None:
    with pytest.raises(OptionError, match=r"has 11 characters, more than the option max_text=5"):
        begun("tic_tac_toe", observation="text", max_text=5)


def test_arrays_are_fresh() -> None:
    env = begun("tic_tac_toe")
    first = act(env, 0).info_state
    kept = np.copy(first)
    act(env, next(iter(env._match.legal)))
    np.testing.assert_array_equal(first, kept)


def test_state_names_actions_and_the_game() -> None:
    env = OpenSpielEnvironment("tic_tac_toe")
    env.reset(episode_id="first")
    state = env.state
    assert (state.episode_id, state.game_name, state.num_players) == ("first", "tic_tac_toe", 2)
    assert state.legal_action_names[:3] == ["x(0,0)", "x(0,1)", "x(0,2)"]
    assert state.step_count == 0
    act(env, 0)
    assert env.state.step_count == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"agent_player": 2}, "2 players, numbered from 0"),
        ({"agent_player": -1}, "agent_player"),
        ({"opponent": "minimax"}, "opponent"),
        ({"simulations": 0}, "simulations"),
        ({"observation": "tensor"}, "observation"),
        ({"game": "mfg_crowd_modelling", "opponent": "self"}, "mean-field"),
        ({"game": "mfg_crowd_modelling", "opponent": "first"}, "mean-field"),
    ],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        gymnasium.make("openenv/OpenSpiel-v0", **{"game": "tic_tac_toe", **options})


def test_an_opponent_that_fails_ends_the_game(monkeypatch: pytest.MonkeyPatch) -> None:
    env = begun("tic_tac_toe")

    def fail(*_: Any) -> int:
        raise RuntimeError("no idea")

    assert env._opponent is not None
    monkeypatch.setattr(env._opponent, "choose", fail)
    with pytest.raises(RuntimeError, match="no idea"):
        act(env, 0)
    monkeypatch.undo()
    with pytest.raises(EpisodeError, match="reset"):
        act(env, 1)
    env.reset()
    assert act(env, 0).opponent_last_action is not None


def test_pictures_show_the_whole_state() -> None:
    env = begun("tic_tac_toe", opponent="first")
    assert env.render() is None
    act(env, 4)
    env.render_mode = "ansi"
    assert env.render() == "o..\n.x.\n...\n"
    env.render_mode = "rgb_array"
    picture: Any = env.render()
    assert (picture.shape, picture.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    before = picture.copy()
    act(env, 8)
    assert not np.array_equal(env.render(), before)
    np.testing.assert_array_equal(picture, before)


@pytest.mark.parametrize("text", ["", "x", "x" * 5000, "x\n" * 500, "\t♜\u0000\u200b字", "   "])
def test_any_text_can_be_drawn(text: str) -> None:
    picture = draw(text)
    assert (picture.shape, picture.dtype) == ((HEIGHT, WIDTH, 3), np.uint8)
    assert (picture != picture[0, 0]).any() == bool(text.strip())


def test_json_is_openenvs() -> None:
    env = begun("tic_tac_toe")
    reported = act(env, 0).model_dump(mode="json")
    assert len(reported["info_state"]) == 27
    assert reported["game_phase"] == "playing"
    np.testing.assert_array_equal(
        OpenSpielObservation.model_validate(reported).info_state, reported["info_state"]
    )
    # What OpenEnv's client sends, whose other fields nobody reads there either.
    OpenSpielAction.model_validate({"action_id": 2, "game_name": "catch", "game_params": {}})


@pytest.mark.parametrize("transport", ["inprocess", "websocket"])
def test_the_typed_client_sees_the_opponents_answer(transport: str) -> None:
    options = {"game": "tic_tac_toe", "opponent": "first"}
    with OpenSpielEnv(transport=transport, **options) as client:
        client.reset(seed=0)
        result = client.step(OpenSpielAction(action_id=4))
        assert result.observation.opponent_last_action == 0
        assert result.observation.legal_actions == [1, 2, 3, 5, 6, 7, 8]
        assert client.state().game_name == "tic_tac_toe"


def test_an_action_that_no_opponent_took_is_not_in_the_info() -> None:
    """A lane of gymnasium's own vector environments can have no None where another has a number."""
    env = gymnasium.make("openenv/OpenSpiel-v0", game="tic_tac_toe", opponent="first")
    _, info = env.reset(seed=0)
    assert "opponent_last_action" not in info
    assert env.step(4)[4]["opponent_last_action"] == 0
    env.close()


def test_lanes_play_what_single_environments_play() -> None:
    id, number = "openenv/OpenSpiel.backgammon-v0", 3
    ours = gymnasium.make_vec(id, num_envs=number, workers=2, transport="process")
    theirs = gymnasium.make_vec(id, num_envs=number, vectorization_mode="sync")
    (one, infos), (other, _) = ours.reset(seed=5), theirs.reset(seed=5)
    assert same(one, other)
    rng = np.random.default_rng(0)
    for _ in range(40):
        actions = np.array([drawn(mask, rng) for mask in infos["action_mask"]])
        got, wanted = ours.step(actions), theirs.step(actions)
        assert same(got[:4], wanted[:4])
        infos = got[4]
    ours.close()
    theirs.close()


def drawn(mask: Any, rng: np.random.Generator) -> int:
    """A legal action; of a game that is over, any."""
    legal = np.flatnonzero(mask)
    return int(rng.choice(legal)) if len(legal) else 0
