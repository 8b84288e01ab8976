from __future__ import annotations

import chess
import numpy as np
import pytest

from openenv_gym_envs.chess.game import Game, legal_moves
from openenv_gym_envs.chess.models import START_FEN
from openenv_gym_envs.chess.moves import UCI_MOVES
from openenv_gym_envs.chess.position import fen, material, planes


def random_boards(games=6, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(games):
        board = chess.Board()
        while not board.is_game_over() and board.ply() < 250:
            yield board
            moves = list(legal_moves(board).values())
            board.push(moves[rng.integers(len(moves))])


class TestMoves:
    def test_the_table_has_all_1968_moves_sorted(self):
        assert len(UCI_MOVES) == len(set(UCI_MOVES)) == 1968
        assert list(UCI_MOVES) == sorted(UCI_MOVES)
        assert sum(len(move) == 5 for move in UCI_MOVES) == 176

    def test_table_is_what_pieces_do_on_an_empty_board(self):
        moves = set()
        for square in chess.SQUARES:
            board = chess.BaseBoard.empty()
            for piece in (chess.QUEEN, chess.KNIGHT):
                board.set_piece_at(square, chess.Piece(piece, chess.WHITE))
                moves |= {chess.Move(square, to) for to in board.attacks(square)}
        for board in (
            chess.Board("nnnnnnnn/PPPPPPPP/8/8/8/8/8/K1k5 w - - 0 1"),
            chess.Board("8/8/8/8/8/k1K5/8/8 w - - 0 1"),
        ):
            promotions = [m for m in board.generate_pseudo_legal_moves() if m.promotion]
            moves |= set(promotions)
            moves |= {
                chess.Move(
                    chess.square_mirror(move.from_square),
                    chess.square_mirror(move.to_square),
                    move.promotion,
                )
                for move in promotions
            }
        # Straight promotions: the pieces in front of the pawns were in the way.
        for file in range(8):
            for ranks in ((6, 7), (1, 0)):
                squares = [chess.square(file, rank) for rank in ranks]
                moves |= {chess.Move(*squares, piece) for piece in range(2, 6)}
        assert sorted(move.uci() for move in moves) == list(UCI_MOVES)

    def test_every_legal_move_is_in_the_table_and_in_its_order(self):
        table = {move: index for index, move in enumerate(UCI_MOVES)}
        for board in random_boards():
            moves = legal_moves(board)
            indices = [table[text] for text in moves]
            assert indices == sorted(indices)
            assert set(moves) == {move.uci() for move in board.legal_moves}
            assert all(text == move.uci() for text, move in moves.items())

    @pytest.mark.parametrize(
        ("position", "depth", "nodes"),
        [
            (START_FEN, 3, 8_902),
            # A position that is known to find faults: castling, e.p., promotions.
            (
                "r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1",
                2,
                2_039,
            ),
            ("8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1", 3, 2_812),
            ("rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8", 2, 1_486),
        ],
    )
    def test_the_legal_moves_are_as_many_as_published(self, position, depth, nodes):
        table = set(UCI_MOVES)

        def count(board, depth):
            moves = legal_moves(board)
            assert table.issuperset(moves)
            if depth == 1:
                return len(moves)
            total = 0
            for move in moves.values():
                board.push(move)
                total += count(board, depth - 1)
                board.pop()
            return total

        assert count(chess.Board(position), depth) == nodes


class TestPosition:
    def test_fen_is_that_of_python_chess(self):
        for board in random_boards():
            assert fen(board) == board.fen()

    @pytest.mark.parametrize(
        "position",
        [
            "rnbqkbnr/ppp1pppp/8/8/3pP3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 3",
            "rnbqkbnr/pppppppp/8/8/4P3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 1",
            "8/8/8/8/8/8/k7/2K5 w - - 12 80",
            "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1",
        ],
    )
    def test_fen_of_special_positions(self, position):
        board = chess.Board(position)
        assert fen(board) == board.fen()

    @pytest.mark.parametrize("viewer", chess.COLORS)
    def test_planes_of_random_games(self, viewer):
        for board in random_boards(games=3, seed=1):
            found = planes(board, viewer, False)
            assert found.shape == (20, 8, 8)
            assert found.dtype == np.uint8
            expected = np.zeros((12, 8, 8), np.uint8)
            for square, piece in board.piece_map().items():
                rank = chess.square_rank(square)
                offset = 0 if piece.color == viewer else 6
                row = rank if viewer else 7 - rank
                expected[offset + piece.piece_type - 1, row, square % 8] = 1
            np.testing.assert_array_equal(found[:12], expected)
            rights = [
                board.has_kingside_castling_rights(viewer),
                board.has_queenside_castling_rights(viewer),
                board.has_kingside_castling_rights(not viewer),
                board.has_queenside_castling_rights(not viewer),
            ]
            for plane, right in zip(found[12:16], rights, strict=True):
                assert (plane == right).all()
            assert found[17].sum() == min((board.halfmove_clock + 1) // 2, 64)
            assert (found[19] == viewer).all()

    def test_both_sides_see_the_same_start(self):
        board = chess.Board()
        white, black = planes(board, True, False), planes(board, False, False)
        np.testing.assert_array_equal(white[:19], black[:19])
        assert white[0, 1].all()
        assert white[5, 0, 4] == 1
        assert white[6, 6].all()

    @pytest.mark.parametrize(
        ("position", "viewer", "row", "column"),
        [
            (
                "rnbqkbnr/ppp1pppp/8/8/3pP3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 3",
                chess.BLACK,
                5,
                4,
            ),
            (
                "rnbqkbnr/ppp1pppp/8/3pP3/8/8/PPPP1PPP/RNBQKBNR w KQkq d6 0 3",
                chess.WHITE,
                5,
                3,
            ),
        ],
    )
    def test_the_plane_of_en_passant_marks_legal_captures(self, position, viewer, row, column):
        plane = planes(chess.Board(position), viewer, False)[16]
        assert np.argwhere(plane).tolist() == [[row, column]]

    def test_no_en_passant_plane_without_a_capture(self):
        board = chess.Board()
        board.push_uci("e2e4")
        assert not planes(board, chess.BLACK, False)[16].any()

    def test_clock_plane_fills_from_the_own_first_rank(self):
        board = chess.Board("8/8/8/8/8/8/k7/2K4R w - - 19 80")
        for viewer in chess.COLORS:
            plane = planes(board, viewer, False)[17]
            assert plane.ravel()[:10].all()
            assert plane.sum() == 10

    def test_the_plane_of_repetitions_is_full_where_one_is(self):
        game = Game(chess.Board())
        seen = []
        for move in ["g1f3", "g8f6", "f3g1", "f6g8", "g1f3", "e7e5"]:
            game.push(game.legal[move])
            seen.append(game.repeated)
            plane = planes(game.board, chess.WHITE, game.repeated)[18]
            assert (plane == game.repeated).all()
        assert seen == [False, False, False, True, True, False]

    def test_planes_are_fresh(self):
        board = chess.Board()
        first = planes(board, chess.WHITE, False)
        assert first.flags.writeable
        first[:] = 0
        assert planes(board, chess.WHITE, False).any()

    def test_material_is_whites_less_blacks(self):
        assert material(chess.Board()) == 0
        assert material(chess.Board("6k1/5ppp/8/8/8/8/8/R3K3 w - - 0 1")) == 2
        assert material(chess.Board("4k3/8/8/8/8/8/8/QRBNPK2 w - - 0 1")) == 21
