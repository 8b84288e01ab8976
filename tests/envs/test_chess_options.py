from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from openenv_gym.errors import OptionError
from openenv_gym_envs.chess.environment import ChessEnvironment
from openenv_gym_envs.chess.models import START_FEN, ChessAction
from tests.envs.chess import CASTLING, PROMOTION, play, start

ROOT = Path(__file__).parents[2]
KINGS_AND_PAWN = "8/8/8/8/8/4k3/4P3/4K3 b - - 0 1"


def play_randomly(env, seed, steps=80):
    """Everything that a run shows, in an order that can be compared."""
    rng = np.random.default_rng(seed)
    env.seed(seed)
    observation = env.reset()
    trace = [observation.model_dump(mode="json")]
    for _ in range(steps):
        move = str(rng.choice(observation.legal_moves))
        observation = env.step(ChessAction(move=move))
        trace.append(observation.model_dump(mode="json"))
        if observation.done:
            observation = env.reset()
            trace.append(observation.model_dump(mode="json"))
    env.close()
    return trace


class TestOptions:
    @pytest.mark.parametrize("opponent", ["random", "greedy"])
    def test_opponent_answers_in_the_step(self, opponent):
        env = start(opponent)
        observation = play(env, "e2e4")
        assert observation.fen.split()[1] == "w"
        assert env.state.step_count == 2

    @pytest.mark.parametrize("opponent", ["random", "greedy"])
    def test_opponent_begins_where_the_agent_is_black(self, opponent):
        env = ChessEnvironment(opponent=opponent, agent_color="black")
        observation = env.reset()
        assert observation.fen.split()[1] == "b"
        assert env.state.step_count == 1
        assert not observation.planes[19].any()
        assert all(move[1] in "78" for move in observation.legal_moves)

    def test_a_random_color_is_drawn_at_each_reset(self):
        env = start("random", agent_color="random")
        turns = [env.reset().fen.split()[1] for _ in range(40)]
        assert set(turns) == {"w", "b"}

    def test_self_play_ignores_the_color(self):
        env = start("self", agent_color="black")
        assert env.state.step_count == 0
        assert env.state.current_player == "white"

    def test_greedy_takes_the_queen(self):
        env = start("greedy", fen="3qk3/8/8/8/p2Q4/1P6/8/4K3 w - - 0 1")
        # Black can take a pawn or the queen.
        observation = play(env, "e1e2")
        assert env.state.move_history == ["e1e2", "d8d4"]
        assert observation.metadata["evaluation"] == -9.0

    def test_greedy_promotes_to_a_queen(self):
        env = start("greedy", fen="4k3/8/8/8/8/6K1/p7/8 w - - 0 1")
        play(env, "g3g4")
        assert env.state.move_history[-1] == "a2a1q"

    def test_greedy_takes_en_passant(self):
        env = start("greedy", fen="4k3/8/8/8/3p4/8/4P3/4K3 w - - 0 1")
        play(env, "e2e4")
        assert env.state.move_history[-1] == "d4e3"

    def test_greedy_breaks_ties_by_lot(self):
        replies = set()
        env = start("greedy")
        for _ in range(30):
            env.reset()
            play(env, "e2e4")
            replies.add(env.state.move_history[-1])
        assert len(replies) > 5

    def test_greedy_beats_random(self):
        env = ChessEnvironment(opponent="greedy", max_plies=160)
        env.seed(0)
        rng = np.random.default_rng(0)
        balance = []
        for _ in range(6):
            observation = env.reset()
            while not observation.done:
                move = str(rng.choice(observation.legal_moves))
                observation = env.step(ChessAction(move=move))
            balance.append(observation.metadata["evaluation"])
        assert np.mean(balance) < -10

    def test_games_begin_at_the_fen(self):
        env = start(fen=CASTLING)
        assert env.state.fen == CASTLING
        play(env, "e1g1")
        assert env.reset().fen == CASTLING

    def test_fen_of_one_reset(self):
        env = start(reset={"fen": CASTLING})
        assert env.state.fen == CASTLING
        assert env.reset().fen == START_FEN

    def test_opponent_begins_where_the_fen_says_so(self):
        env = start("random", fen=KINGS_AND_PAWN)
        assert env.state.step_count == 1
        assert env.state.current_player == "white"

    @pytest.mark.parametrize(
        ("position", "message"),
        [
            ("nonsense", "not a valid FEN"),
            ("", "not a valid FEN"),
            ("8/8/8/8/8/8/8/8 w - - 0 1", "no_white_king, no_black_king"),
            ("4k3/8/8/8/8/8/8/4K2P w - - 0 1", "pawns_on_backrank"),
            ("4k3/8/8/8/8/8/4R3/4K3 w - - 0 1", "opposite_check"),
            ("4k3/8/8/8/8/8/P7/4K3 w KQ - 0 1", "bad_castling_rights"),
            ("k7/8/1Q6/8/8/8/8/4K3 b - - 0 1", "already over"),
            ("4k3/8/8/8/8/8/8/4K3 w - - 0 1", "already over"),
            ("4k3/8/8/8/8/8/R7/4K3 w - - 100 90", "already over"),
        ],
    )
    def test_a_fen_that_no_game_can_begin_at_is_refused(self, position, message):
        with pytest.raises(OptionError, match=message) as caught:
            ChessEnvironment(fen=position)
        assert caught.value.fields["fen"] == position
        env = start()
        play(env, "e2e4")
        with pytest.raises(OptionError, match=message):
            env.reset(fen=position)

    def test_gamma_discounts_the_rewards_of_the_moves(self):
        env = start("random", fen="7k/8/8/8/8/8/R7/1R2K3 w - - 0 1", gamma=0.5)
        assert play(env, "a1a2").reward == -0.1  # no move, and none of the list
        # The rooks drive the king, which has only h7, g7 or g8 to go to.
        assert not play(env, "a2a7").done
        observation = play(env, "b1b8")
        assert observation.result == "1-0"
        assert observation.metadata["gamma"] == 0.5
        assert observation.metadata["discounted_rewards"] == [0.5, 1.0]

    def test_the_state_tells_the_game_so_far(self):
        env = start()
        play(env, "e2e4 e7e5 g1f3")
        state = env.state
        assert state.step_count == 3
        assert state.move_history == ["e2e4", "e7e5", "g1f3"]
        assert state.current_player == "black"
        assert state.fen == env._game.board.fen()
        env.reset(episode_id="second")
        assert env.state.episode_id == "second"
        assert env.state.move_history == []

    def test_a_short_step_is_inline(self):
        assert ChessEnvironment().inline

    def test_close_twice(self):
        env = start("random")
        before = env.state
        env.close()
        env.close()
        assert env.state == before


class TestSeeding:
    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"agent_color": "random"},
            {"opponent": "greedy", "agent_color": "black"},
            {"opponent": "self"},
            {"max_plies": 9, "agent_color": "random"},
        ],
        ids=str,
    )
    def test_same_seed_same_run(self, options):
        first = play_randomly(ChessEnvironment(**options), 7)
        assert first == play_randomly(ChessEnvironment(**options), 7)
        assert first != play_randomly(ChessEnvironment(**options), 8)

    def test_seed_repeats_on_a_used_environment(self):
        env = ChessEnvironment(agent_color="random")
        assert play_randomly(env, 7) == play_randomly(env, 7)


class TestRendering:
    def test_the_board_as_text(self):
        env = start()
        env.render_mode = "ansi"
        play(env, "e2e4")
        lines = env.render().splitlines()
        assert lines[0] == "8 r n b q k b n r"
        assert lines[4] == "4 . . . . P . . ."
        assert lines[8] == "  a b c d e f g h"
        assert lines[9] == "black to move, after e2e4"

    def test_ansi_from_blacks_side(self):
        env = start("random", agent_color="black")
        env.render_mode = "ansi"
        lines = env.render().splitlines()
        assert lines[7] == "8 r n b k q b n r"
        assert lines[8] == "  h g f e d c b a"

    def test_ansi_at_the_end(self):
        env = start()
        env.render_mode = "ansi"
        play(env, "f2f3 e7e5 g2g4 d8h4")
        assert env.render().splitlines()[-1] == "0-1, after d8h4"

    def test_the_board_as_a_picture_marks_the_last_move(self):
        env = start()
        env.render_mode = "rgb_array"
        first = env.render()
        assert first.shape == (480, 480, 3)
        assert first.dtype == np.uint8
        play(env, "e2e4")
        second = env.render()
        changed = np.argwhere((first != second).any(axis=2)) // 60
        assert {tuple(square) for square in changed.tolist()} == {(6, 4), (4, 4)}
        second[:] = 0
        assert env.render().any()

    def test_rgb_from_blacks_side_has_black_below(self):
        pictures = {}
        for color in ("white", "black"):
            env = start("random", fen=PROMOTION, agent_color="white")
            env.render_mode = "rgb_array"
            env._agent = color == "white"
            pictures[color] = env.render()
        tiles = pictures["white"].reshape(8, 60, 8, 60, 3).swapaxes(1, 2)
        turned = pictures["black"].reshape(8, 60, 8, 60, 3).swapaxes(1, 2)
        np.testing.assert_array_equal(tiles, turned[::-1, ::-1])

    def test_every_piece_has_its_own_look(self):
        env = start()
        env.render_mode = "rgb_array"
        tiles = env.render().reshape(8, 60, 8, 60, 3).swapaxes(1, 2)
        looks = {
            tiles[row, column].tobytes()
            for row in (0, 1, 6, 7)
            for column in range(8)
            if (row + column) % 2 == 0
        }
        assert len(looks) == 10  # of king and queen one stands on a dark square

    def test_no_render_mode_no_picture(self):
        assert start().render() is None

    def test_pillow_is_loaded_for_pictures_only(self):
        code = (
            "import sys; sys.path[:0] = ['.', 'envs']\n"
            "import openenv_gym_envs.chess.models\n"
            "assert 'chess' not in sys.modules\n"
            "import openenv_gym_envs.chess.environment\n"
            "assert 'PIL' not in sys.modules\n"
            "assert 'openenv_gym_envs.chess.uci_engine' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
