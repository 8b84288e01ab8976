from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openenv_gym_envs.connect4.bitboards import (
    CELLS,
    STRIDE,
    choose_column,
    completing_cells,
    has_four,
)
from openenv_gym_envs.connect4.environment import Connect4Environment
from openenv_gym_envs.connect4.models import (
    COLUMNS,
    ROWS,
    Connect4Action,
    Connect4Observation,
)

ROOT = Path(__file__).parents[2]

# Fills the board with no line of four.
DRAW = [0, 1] * 3 + [1, 0] * 3 + [2, 3] * 3 + [3, 2] * 3 + [4, 5] * 3 + [5, 4] * 3
DRAW += [6] * 6


def start(**options):
    env = Connect4Environment(**options)
    env.seed(0)
    env.reset()
    return env


def play(env, columns):
    for column in columns:
        observation = env.step(Connect4Action(column=column))
    return observation


def lines():
    """All 69 lines of four, as lists of (column, height)."""
    for column in range(COLUMNS):
        for height in range(ROWS):
            for right, up in ((1, 0), (0, 1), (1, 1), (1, -1)):
                line = [(column + i * right, height + i * up) for i in range(4)]
                if all(c < COLUMNS and 0 <= h < ROWS for c, h in line):
                    yield line


def bits(cells):
    return sum(1 << STRIDE * column + height for column, height in cells)


def play_randomly(env, seed, steps=60):
    """Everything that a run shows, in an order that can be compared."""
    rng = np.random.default_rng(seed)
    env.seed(seed)
    observation = env.reset()
    trace = [observation.model_dump(mode="json")]
    for _ in range(steps):
        legal = observation.legal_actions
        observation = env.step(Connect4Action(column=int(rng.choice(legal))))
        trace.append(observation.model_dump(mode="json"))
        if observation.done:
            observation = env.reset()
            trace.append(observation.model_dump(mode="json"))
    return trace


def test_a_reset_shows_an_empty_board():
    observation = Connect4Environment().reset()
    assert isinstance(observation, Connect4Observation)
    assert observation.board.shape == (6, 7)
    assert observation.board.dtype == np.int8
    assert not observation.board.any()
    assert observation.legal_actions == list(range(7))
    assert observation.metadata == {"next_player": 1}
    assert observation.reward == 0.0
    assert not observation.done


def test_pieces_fall_and_players_alternate():
    observation = play(start(), [3, 3, 0])
    expected = np.zeros((6, 7), np.int8)
    expected[5, 3], expected[4, 3], expected[5, 0] = 1, -1, 1
    np.testing.assert_array_equal(observation.board, expected)
    assert observation.metadata == {"next_player": -1}


def test_boards_are_fresh():
    env = start()
    first = play(env, [3]).board
    first[:] = 1
    second = play(env, [3]).board
    assert second.sum() == 0
    assert (first == 1).all()


@pytest.mark.parametrize(
    "columns",
    [
        pytest.param([0, 6, 1, 6, 2, 5, 3], id="row-left"),
        pytest.param([6, 0, 5, 0, 4, 1, 3], id="row-right"),
        pytest.param([0, 1, 0, 1, 0, 1, 0], id="column"),
        pytest.param([0, 1, 1, 2, 2, 3, 2, 3, 3, 6, 3], id="diagonal-up"),
        pytest.param([6, 5, 5, 4, 4, 3, 4, 3, 3, 0, 3], id="diagonal-down"),
        pytest.param([0, 6, 1, 6, 3, 5, 2], id="gap-filled"),
    ],
)
def test_four_in_a_row_win_and_end_the_game(columns):
    env = start()
    observation = play(env, columns[:-1])
    assert not observation.done
    observation = play(env, columns[-1:])
    assert observation.done
    assert observation.reward == 1.0
    assert observation.legal_actions == []
    # OpenEnv's turn passes on the last step too.
    assert observation.metadata == {"next_player": -1}


def test_the_reward_of_a_win_is_the_movers():
    observation = play(start(), [0, 1, 0, 1, 0, 1, 6, 1])
    assert observation.done
    assert observation.reward == 1.0  # with "self" the reward is the mover's


def test_every_line_is_a_win_and_nothing_less():
    every = list(lines())
    assert len(every) == 69
    for line in every:
        assert has_four(bits(line))
        for gap in line:
            three = bits(cell for cell in line if cell != gap)
            assert not has_four(three)
            upright = line[0][0] == line[1][0]
            if not upright or gap == line[-1]:
                assert completing_cells(three, three) & bits([gap])


def test_has_four_agrees_with_all_lines_on_random_boards():
    rng = np.random.default_rng(0)
    masks = [bits(line) for line in lines()]
    for _ in range(500):
        own = other = 0
        for column in range(COLUMNS):
            for height in range(rng.integers(ROWS + 1)):
                cell = bits([(column, height)])
                own, other = (own | cell, other) if rng.random() < 0.5 else (own, other | cell)
        filled = own | other
        assert has_four(own) == any(own & mask == mask for mask in masks)
        completing = completing_cells(own, filled)
        assert completing & filled == 0
        assert completing & ~CELLS == 0
        for cell in (bits([(c, h)]) for c in range(COLUMNS) for h in range(ROWS)):
            wins = not filled & cell and any(
                mask & cell and (own | cell) & mask == mask for mask in masks
            )
            assert bool(completing & cell) == wins


def test_full_board_is_a_draw():
    env = start()
    observation = play(env, DRAW[:-1])
    assert not observation.done
    assert observation.legal_actions == [6]
    observation = play(env, DRAW[-1:])
    assert observation.done
    assert observation.reward == 0.0
    assert observation.legal_actions == []
    assert (observation.board != 0).all()
    assert not observation.truncated


def test_full_column_loses():
    env = start()
    observation = play(env, [0] * 6)
    assert observation.legal_actions == [1, 2, 3, 4, 5, 6]
    before = observation.board
    observation = play(env, [0])
    assert observation.done
    assert observation.reward == -1.0
    np.testing.assert_array_equal(observation.board, before)
    assert observation.legal_actions == []
    assert observation.metadata == {"next_player": -1}


def test_the_state_tells_the_board_and_whose_turn_it_is():
    env = start()
    play(env, [3, 4])
    state = env.state
    assert state.board[5] == [0, 0, 0, 1, -1, 0, 0]
    assert state.next_player == 1
    assert state.step_count == 2
    env.reset(episode_id="second")
    assert env.state.step_count == 0
    assert env.state.episode_id == "second"
    assert env.state.board == [[0] * 7] * 6


@pytest.mark.parametrize("opponent", ["random", "minimax"])
def test_opponent_answers_in_the_step(opponent):
    env = start(opponent=opponent, depth=1)
    observation = play(env, [3])
    assert np.count_nonzero(observation.board) == 2
    assert observation.board.sum() == 0
    assert observation.metadata == {"next_player": 1}
    assert env.state.step_count == 1


@pytest.mark.parametrize("opponent", ["random", "minimax"])
def test_opponent_begins_in_the_reset(opponent):
    env = Connect4Environment(opponent=opponent, depth=1, agent_player=-1)
    observation = env.reset()
    assert observation.board.sum() == 1
    assert observation.metadata == {"next_player": -1}
    assert play(env, [0]).board.sum() == 1


def test_a_random_side_is_drawn_at_each_reset():
    env = start(opponent="random", agent_player="random")
    began = {int(env.reset().board.sum()) for _ in range(40)}
    assert began == {0, 1}


def test_a_win_of_the_opponent_costs():
    env = start(opponent="minimax", depth=2)
    for _ in range(21):
        legal = env.step(Connect4Action(column=0 if env.state.board[0][0] == 0 else 6))
        if legal.done:
            break
    assert legal.reward == -1.0
    assert has_four_on(legal.board, -1)


def has_four_on(board, player):
    rows, columns = np.nonzero(board == player)
    return has_four(bits((int(c), 5 - int(r)) for r, c in zip(rows, columns, strict=1)))


def test_random_opponent_against_random_play_ends_in_each_way():
    env = start(opponent="random")
    rng = np.random.default_rng(3)
    rewards = []
    for _ in range(300):
        observation = env.reset()
        while not observation.done:
            column = int(rng.choice(observation.legal_actions))
            observation = env.step(Connect4Action(column=column))
        rewards.append(observation.reward)
        won = [has_four_on(observation.board, player) for player in (1, -1)]
        expected = [observation.reward == 1.0, observation.reward == -1.0]
        assert won == expected
    assert {1.0, -1.0} <= set(rewards)


def sides(columns):
    """Pieces of whose turn it is, and of the other, after these columns."""
    env = start()
    play(env, columns)
    return env._pieces[env._player], env._pieces[-env._player]


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("columns", "winning"),
    [([0, 6, 0, 6, 0, 5], 0), ([1, 1, 2, 2, 4, 4], 3), ([0, 6, 0, 6, 1, 6, 1], 6)],
)
def test_minimax_takes_a_win(columns, winning, depth):
    own, other = sides(columns)
    rng = np.random.default_rng(0)
    assert {choose_column(own, other, depth, rng) for _ in range(5)} == {winning}


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize(("columns", "blocking"), [([0, 6, 0, 6, 0], 0), ([1, 1, 2, 2, 4], 3)])
def test_minimax_blocks_a_loss(columns, blocking, depth):
    own, other = sides(columns)
    rng = np.random.default_rng(0)
    assert {choose_column(own, other, depth, rng) for _ in range(5)} == {blocking}


def test_minimax_makes_two_threats():
    # Two own pieces in the middle of an open bottom row: a third makes two threats.
    own, other = sides([2, 2, 3, 3])
    rng = np.random.default_rng(0)
    assert choose_column(own, other, 3, rng) in {1, 4}


def test_deeper_minimax_beats_a_shallow_one():
    wins = 0
    for seed in range(6):
        env = Connect4Environment(opponent="minimax", depth=1)
        env.seed(seed)
        rng = np.random.default_rng(seed)
        observation = env.reset()
        while not observation.done:
            column = choose_column(env._pieces[1], env._pieces[-1], 4, rng)
            observation = env.step(Connect4Action(column=column))
        wins += observation.reward
    assert wins >= 4


def test_minimax_ties_are_broken_by_lot():
    # Full but for the two outer columns' tops, which are alike in every way.
    chosen = set()
    own, other = sides([3, 3, 3, 3, 3, 3])
    rng = np.random.default_rng(0)
    for _ in range(30):
        chosen.add(choose_column(own, other, 1, rng))
    assert len(chosen) > 1


def test_minimax_with_one_column_left():
    own, other = sides(DRAW[:-1])
    assert choose_column(own, other, 6, np.random.default_rng(0)) == 6


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"opponent": "random", "agent_player": "random"},
        {"opponent": "minimax", "depth": 2, "agent_player": -1},
    ],
    ids=str,
)
def test_same_seed_same_run(options):
    first = play_randomly(Connect4Environment(**options), 7)
    assert first == play_randomly(Connect4Environment(**options), 7)
    if options:
        assert first != play_randomly(Connect4Environment(**options), 8)


def test_seed_repeats_on_a_used_environment():
    env = Connect4Environment(opponent="random")
    assert play_randomly(env, 7) == play_randomly(env, 7)


def test_only_deep_search_is_kept_off_the_event_loop():
    assert Connect4Environment().inline
    assert Connect4Environment(opponent="random").inline
    assert Connect4Environment(opponent="minimax", depth=1).inline
    assert not Connect4Environment(opponent="minimax", depth=4).inline


def test_the_board_as_text():
    env = start()
    env.render_mode = "ansi"
    play(env, [3, 3])
    lines = env.render().splitlines()
    assert lines[4:] == [
        ". . . O . . .",
        ". . . X . . .",
        "0 1 2 3 4 5 6",
        "X to move",
    ]
    play(env, [0, 1, 0, 1, 0, 1, 0])
    assert env.render().splitlines()[-1] == "game over"


def test_the_board_as_a_picture():
    env = start()
    env.render_mode = "rgb_array"
    empty = env.render()
    assert empty.shape == (384, 448, 3)
    assert empty.dtype == np.uint8
    play(env, [3, 2])
    picture = env.render()
    red, yellow = picture[352, 224 + 14], picture[352, 160 + 14]
    assert red[0] > 180
    assert red[1] < 90
    assert yellow[0] > 180
    assert yellow[1] > 150
    # Only the two cells differ.
    changed = np.argwhere((picture != empty).any(axis=2))
    assert changed.min(axis=0).tolist() >= [320, 128]
    assert changed.max(axis=0)[1] < 256
    picture[:] = 0
    assert env.render().any()


def test_no_render_mode_no_picture():
    assert start().render() is None


def test_pillow_is_loaded_for_pictures_only():
    code = (
        "import sys; sys.path[:0] = ['.', 'envs']\n"
        "import openenv_gym_envs.connect4.environment\n"
        "assert 'PIL' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
