from __future__ import annotations

import chess
import numpy as np
import pytest

from openenv_gym_envs.chess.environment import ChessEnvironment
from openenv_gym_envs.chess.game import Game
from openenv_gym_envs.chess.models import START_FEN, ChessAction, ChessObservation
from tests.envs.chess import CASTLING, PROMOTION, play, start

# White mates by Ra8; stalemates by Qb6; draws by Nxd3; castles; promotes.
BACK_RANK = "6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1"
STALEMATE = "k7/8/8/2Q5/8/8/8/4K3 w - - 0 1"
LONE_KNIGHT = "8/8/8/8/8/3pk3/1N6/4K3 w - - 0 1"


class TestEndings:
    def test_a_reset_shows_the_first_position(self):
        observation = ChessEnvironment().reset()
        assert isinstance(observation, ChessObservation)
        assert observation.fen == START_FEN
        assert len(observation.legal_moves) == 20
        assert observation.reward == 0.0
        assert not observation.done
        assert observation.result is None
        assert not observation.is_check
        assert observation.metadata == {
            "evaluation": 0.0,
            "fullmove_number": 1,
            "halfmove_clock": 0,
        }

    def test_the_reward_of_a_mate_is_the_movers(self):
        env = start()
        assert not play(env, "f2f3 e7e5 g2g4").done
        observation = play(env, "d8h4")
        assert observation.done
        assert not observation.truncated
        assert observation.reward == 1.0  # the mover's
        assert observation.result == "0-1"
        assert observation.is_check
        assert observation.legal_moves == []

    def test_white_mates(self):
        observation = play(start(), "e2e4 e7e5 d1h5 b8c6 f1c4 g8f6 h5f7")
        assert (observation.reward, observation.result) == (1.0, "1-0")

    def test_agent_mates_the_opponent(self):
        env = start("random", fen=BACK_RANK)
        observation = play(env, "a1a8")
        assert (observation.reward, observation.result) == (1.0, "1-0")
        assert observation.metadata["discounted_rewards"] == [1.0]
        # The last position too is seen from the agent's side.
        assert observation.planes[19].all()

    def test_opponent_mates_the_agent(self):
        # The one capture that there is mates on the back rank.
        env = start("greedy", fen="1r4k1/8/8/8/8/8/P5PP/1R5K w - - 0 1", gamma=0.5)
        observation = play(env, "a2a3")
        assert (observation.reward, observation.result) == (-1.0, "0-1")
        assert observation.done
        assert observation.is_check
        assert observation.metadata["discounted_rewards"] == [-1.0]

    def test_opponent_that_moves_first_may_mate_in_the_reset(self):
        # A reset cannot tell that the episode is over: the first step does.
        env = ChessEnvironment(fen=BACK_RANK, agent_color="black")
        results = set()
        for seed in range(60):
            env.seed(seed)
            observation = env.reset()
            assert not observation.done
            if observation.result is not None:
                results.add(observation.result)
                assert observation.reward == 0.0
                assert observation.legal_moves == []
                observation = env.step(ChessAction(move="g7g6"))
                assert observation.done
                assert observation.reward == -1.0
                assert observation.metadata["discounted_rewards"] == []
        assert results == {"1-0"}

    def test_stalemate_is_a_draw(self):
        observation = play(start(fen=STALEMATE), "c5b6")
        assert (observation.reward, observation.result) == (0.0, "1/2-1/2")
        assert observation.done
        assert not observation.is_check
        assert not observation.truncated
        assert observation.legal_moves == []

    def test_insufficient_material_is_a_draw(self):
        observation = play(start(fen=LONE_KNIGHT), "b2d3")
        assert (observation.reward, observation.result) == (0.0, "1/2-1/2")
        assert observation.done

    def test_the_third_repetition_is_a_draw(self):
        env = start()
        assert not play(env, "g1f3 g8f6 f3g1 f6g8 g1f3 g8f6 f3g1").done
        observation = play(env, "f6g8")
        assert observation.done
        assert (observation.reward, observation.result) == (0.0, "1/2-1/2")
        assert observation.legal_moves == []

    def test_repetition_needs_the_same_rights(self):
        env = start(fen=CASTLING)
        # After the rooks moved, castling is lost: the first position was another one.
        round_trip = " h1g1 h8g8 g1h1 g8h8"
        assert not play(env, round_trip * 2).done
        assert play(env, round_trip).done

    def test_repetition_after_en_passant_was_lost(self):
        position = "4k3/8/8/8/3p4/8/4P3/4K3 w - - 0 1"
        env = start(fen=position)
        round_trip = " e8e7 e1f1 e7e8 f1e1"
        assert not play(env, "e2e4" + round_trip * 2).done
        assert play(env, "e8e7 e1f1 e7e8 f1e1").done

    def test_agrees_with_python_chess_on_random_games(self):
        for seed in range(8):
            env = start()
            rng = np.random.default_rng(seed)
            observation = env.reset()
            while not observation.done:
                board = env._game.board
                assert not board.is_repetition(3)
                assert not board.is_fifty_moves()
                assert not board.is_game_over()
                move = str(rng.choice(observation.legal_moves))
                observation = env.step(ChessAction(move=move))
            board = env._game.board
            assert (
                board.is_game_over()
                or board.is_repetition(3)
                or board.is_fifty_moves()
                or board.ply() == 500
            )

    def test_fifty_moves_without_capture_are_a_draw(self):
        env = start(fen="8/8/8/8/8/4k3/R7/4K3 w - - 98 120")
        assert not play(env, "a2b2").done
        observation = play(env, "e3f3")
        assert observation.done
        assert (observation.reward, observation.result) == (0.0, "1/2-1/2")
        assert observation.metadata["halfmove_clock"] == 100

    def test_mate_on_the_hundredth_half_move_counts(self):
        env = start(fen="6k1/5ppp/8/8/8/8/8/R3K3 w - - 99 120")
        observation = play(env, "a1a8")
        assert (observation.reward, observation.result) == (1.0, "1-0")

    def test_pawn_move_turns_the_clock_back(self):
        env = start(fen="8/8/8/8/8/4k3/R6P/4K3 w - - 99 120")
        observation = play(env, "h2h3")
        assert not observation.done
        assert observation.metadata["halfmove_clock"] == 0

    def test_max_plies_truncates(self):
        env = start(max_plies=4)
        assert not play(env, "e2e4 e7e5 g1f3").done
        observation = play(env, "b8c6")
        assert observation.done
        assert observation.truncated
        assert (observation.reward, observation.result) == (0.0, "1/2-1/2")

    def test_max_plies_counts_both_sides_and_begins_anew(self):
        env = start("random", max_plies=4)
        for _ in range(2):
            observation = env.reset()
            steps = 0
            while not observation.done:
                move = observation.legal_moves[0]
                observation = env.step(ChessAction(move=move))
                steps += 1
            assert steps == 2
            assert observation.truncated

    def test_mate_goes_before_max_plies(self):
        observation = play(start(max_plies=4), "f2f3 e7e5 g2g4 d8h4")
        assert observation.result == "0-1"
        assert not observation.truncated

    def test_default_limit_is_openenvs(self):
        assert Game(chess.Board(), None)._max_plies is None
        assert ChessEnvironment()._max_plies == 500


class TestMovesPlayed:
    @pytest.mark.parametrize("move", ["e2e5", "e7e5", "a1a8", "nonsense", "", "0000"])
    def test_an_illegal_move_costs_and_changes_nothing(self, move):
        env = start("random")
        before = env.step(ChessAction(move="e2e4"))
        state = env.state
        observation = env.step(ChessAction(move=move))
        assert observation.reward == -0.1
        assert not observation.done
        assert observation.fen == before.fen
        assert observation.legal_moves == before.legal_moves
        np.testing.assert_array_equal(observation.planes, before.planes)
        assert env.state == state

    def test_illegal_move_draws_no_lot(self):
        env = start("random")
        other = start("random")
        env.step(ChessAction(move="a1a8"))
        assert play(env, "e2e4").fen == play(other, "e2e4").fen

    def test_move_into_check_is_illegal(self):
        env = start(fen="4r2k/8/8/8/8/8/4R3/4K3 w - - 0 1")
        assert play(env, "e2d2").reward == -0.1
        assert play(env, "e2e8").reward == 0.0

    @pytest.mark.parametrize(
        ("move", "placement"),
        [("e1g1", "R4RK1"), ("e1c1", "2KR3R")],
    )
    def test_castling_moves_the_rook_and_ends_the_right(self, move, placement):
        observation = play(start(fen=CASTLING), move)
        assert observation.fen.split()[0].endswith(placement)
        assert not observation.planes[14:16].any()

    def test_en_passant_takes_the_pawn(self):
        env = start(fen="4k3/8/8/8/3p4/8/4P3/4K3 w - - 0 1")
        assert "d4e3" in play(env, "e2e4").legal_moves
        observation = play(env, "d4e3")
        assert observation.fen.startswith("4k3/8/8/8/8/4p3/8/4K3 ")

    @pytest.mark.parametrize("piece", "qrbn")
    def test_a_pawn_becomes_what_the_move_says(self, piece):
        observation = play(start(fen=PROMOTION), f"a7a8{piece}")
        assert observation.fen.startswith(piece.upper() + "7/")

    def test_promotion_names_its_piece(self):
        assert play(start(fen=PROMOTION), "a7a8").reward == -0.1

    def test_a_check_is_told(self):
        assert play(start(fen="4k3/8/8/8/8/8/R7/4K3 w - - 0 1"), "a2a8").is_check

    def test_self_play_is_seen_by_the_mover(self):
        env = start()
        assert not play(env, "e2e4").planes[19].any()
        assert play(env, "e7e5").planes[19].all()

    def test_evaluation_is_whites(self):
        observation = play(start(), "e2e4 d7d5 e4d5")
        assert observation.metadata["evaluation"] == 1.0
        assert play(start(), "e2e4 d7d5 a2a3 d5e4").metadata["evaluation"] == -1.0
