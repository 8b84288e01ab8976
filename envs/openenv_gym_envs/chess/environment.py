"""The Chess environment: OpenEnv's rules and rewards, and a choice of opponents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import chess
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.errors import EpisodeError, SnapshotError
from openenv_gym.models import ClientOption
from openenv_gym_envs.chess.game import Game, board_from_fen
from openenv_gym_envs.chess.models import (
    START_FEN,
    ChessAction,
    ChessObservation,
    ChessState,
)
from openenv_gym_envs.chess.openenv_server import ChessReader
from openenv_gym_envs.chess.opponents import GreedyOpponent, Opponent, RandomOpponent
from openenv_gym_envs.chess.position import fen as fen_of
from openenv_gym_envs.chess.position import material, planes

ILLEGAL_MOVE_REWARD = -0.1
_WINNERS = {"1-0": chess.WHITE, "0-1": chess.BLACK}


class ChessEnvironment(Environment[ChessAction, ChessObservation, ChessState]):
    """A game of chess by the rules of FIDE, as in OpenEnv's ``chess_env``.

    The opponent's answer is part of the step; where the opponent has the first move, it
    is part of the reset.

    Rewards: 1 when the agent mates, -1 when the opponent does, 0 for any draw, else 0.
    An illegal move costs 0.1, changes nothing on the board and does not end the game.
    Draws are stalemate, insufficient material, the fifty-move rule and the third
    repetition.

    Args:
        opponent: ``"random"``: any legal move. ``"greedy"``: the most material at once.
            ``"stockfish"``: the engine. ``"self"``: no opponent; the agent plays both
            sides, and a reward is for the side that moved.
        agent_color: The agent's side; with ``"random"`` each reset draws it. It has no
            meaning with ``"self"``.
        fen: The position that games start from.
        max_plies: Number of half-moves of both sides after which the game is broken off
            as a draw, and the episode truncated. None for no limit.
        gamma: Discount in ``metadata["discounted_rewards"]``.
        stockfish_path: Path of the engine, by default ``stockfish`` on the search path.
        stockfish_depth: Half-moves that the engine looks ahead; 2 where no limit is given.
        stockfish_nodes: Most positions that the engine looks at.
        stockfish_timeout: Seconds to wait for the engine's answer.

    Raises:
        OptionError: A game cannot start from the fen.
        MissingDependencyError: Stockfish is not installed.
    """

    render_modes = ("ansi", "rgb_array")
    render_fps = 2
    inline = True
    server_reader = ChessReader
    beyond_openenv = ("planes", "current_player_id")

    def __init__(
        self,
        opponent: Annotated[
            Literal["random", "greedy", "stockfish", "self"], ClientOption()
        ] = "random",
        agent_color: Annotated[Literal["white", "black", "random"], ClientOption()] = "white",
        fen: Annotated[str, ClientOption(Annotated[str, Field(max_length=200)])] = START_FEN,
        max_plies: Annotated[
            Annotated[int, Field(ge=1)] | None, ClientOption(Annotated[int, Field(ge=1, le=10_000)])
        ] = 500,
        gamma: Annotated[float, Field(ge=0, le=1), ClientOption()] = 0.99,
        stockfish_path: str | None = None,
        stockfish_depth: Annotated[
            Annotated[int, Field(ge=1, le=100)] | None,
            ClientOption(Annotated[int, Field(ge=1, le=20)] | None),  # pyright: ignore[reportOperatorIssue]
        ] = None,
        stockfish_nodes: Annotated[
            Annotated[int, Field(ge=1)] | None,
            ClientOption(Annotated[int, Field(ge=1, le=1_000_000)] | None),  # pyright: ignore[reportOperatorIssue]
        ] = None,
        stockfish_timeout: Annotated[
            float, Field(gt=0), ClientOption(Annotated[float, Field(gt=0, le=60)])
        ] = 60.0,
    ) -> None:
        self._board = board_from_fen(fen)
        self._opponent: Opponent | None = None
        if opponent == "random":
            self._opponent = RandomOpponent()
        elif opponent == "greedy":
            self._opponent = GreedyOpponent()
        elif opponent == "stockfish":
            # Imported here, so that the other opponents do not load it.
            from openenv_gym_envs.chess.uci_engine import StockfishOpponent

            self._opponent = StockfishOpponent(
                stockfish_path, stockfish_depth, stockfish_nodes, stockfish_timeout
            )
        # Stockfish is another process, which a server's event loop must not wait for.
        self._engine = opponent == "stockfish"
        self.inline = not self._engine
        self.players = 2 if opponent == "self" else 1
        self._agent_color = agent_color
        self._max_plies = max_plies
        self._gamma = gamma
        self._begin(self._board, None)

    def _begin(self, board: chess.Board, episode_id: str | None) -> None:
        self._game = Game(board.copy(stack=False), self._max_plies)
        self._agent = self._agent_color != "black"
        self._moves = 0
        self._episode_id = episode_id

    def reset(self, fen: str | None = None, episode_id: str | None = None) -> ChessObservation:
        """Begin a game.

        Args:
            fen: The position to start from, for this game only.
            episode_id: Name of the episode in :attr:`state`.

        Raises:
            OptionError: A game cannot start from the fen.
        """
        self._begin(self._board if fen is None else board_from_fen(fen), episode_id)
        if self._agent_color == "random":
            self._agent = bool(self.np_random.integers(2))
        if self._opponent is not None:
            self._opponent.begin(self._game)
            if self._game.board.turn != self._agent:
                self._answer(self._opponent)
        observation = self._observe(0.0)
        # With some fens the opponent ends the game here already. A reset cannot report that an
        # episode is over: the first step does.
        observation.done = observation.truncated = False
        return observation

    def step(self, action: ChessAction) -> ChessObservation:
        """Implements Environment.step."""
        game = self._game
        if game.result is None:
            if self._opponent is not None and game.board.turn != self._agent:
                raise EpisodeError("The opponent failed in the middle of this game: call reset().")
            move = game.legal.get(action.move)
            if move is None:
                return self._observe(ILLEGAL_MOVE_REWARD)
            if self._opponent is None:
                self._agent = game.board.turn
            game.push(move)
            self._moves += 1
            if self._opponent is not None and game.result is None:
                self._answer(self._opponent)
        return self._observe(self._reward())

    def save(self) -> Any:
        """Implements Environment.save: the position at the beginning, and the moves."""
        if self._engine:
            raise SnapshotError(
                "A game against Stockfish cannot be saved: the engine remembers what it has "
                "searched. Take another opponent."
            )
        board = self._game.board
        first = board.root().fen(en_passant="fen")
        return [first, self._game.history, self._agent, self._moves, self._episode_id]

    def load(self, saved: Any) -> None:
        """Implements Environment.load."""
        first, history, agent, moves, episode_id = saved
        self._begin(chess.Board(first), episode_id)
        for move in history:
            self._game.push(chess.Move.from_uci(move))
        self._agent, self._moves = agent, moves
        if self._opponent is not None:
            self._opponent.begin(self._game)

    @property
    def state(self) -> ChessState:
        """The game so far; ``step_count`` counts the half-moves of both sides."""
        board = self._game.board
        history = self._game.history
        return ChessState(
            episode_id=self._episode_id,
            step_count=len(history),
            fen=fen_of(board),
            current_player=chess.COLOR_NAMES[board.turn],
            move_history=history,
        )

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return the board from the agent's side: text, or (480, 480, 3) uint8."""
        board = self._game.board
        viewer = self._agent if self._opponent is not None else chess.WHITE
        if self.render_mode == "ansi":
            return self._text(board, viewer)
        if self.render_mode == "rgb_array":
            # Imported here, since Pillow is slow to load and only this needs it.
            from openenv_gym_envs.chess.drawing import draw

            return draw(board, viewer)
        return None

    def close(self) -> None:
        """End the engine, if there is one."""
        if self._opponent is not None:
            self._opponent.close()

    def _answer(self, opponent: Opponent) -> None:
        self._game.push(opponent.choose(self._game, self.np_random))

    def _reward(self) -> float:
        winner = _WINNERS.get(self._game.result or "")
        if winner is None:
            return 0.0
        return 1.0 if winner == self._agent else -1.0

    def _observe(self, reward: float) -> ChessObservation:
        game, board = self._game, self._game.board
        viewer = board.turn if self._opponent is None else self._agent
        metadata: dict[str, Any] = {
            "evaluation": float(material(board)),
            "fullmove_number": board.fullmove_number,
            "halfmove_clock": board.halfmove_clock,
        }
        if game.result is not None and self._opponent is not None:
            metadata["gamma"] = self._gamma
            metadata["discounted_rewards"] = [
                self._gamma**left * reward for left in reversed(range(self._moves))
            ]
        return ChessObservation(
            planes=planes(board, viewer, game.repeated),
            legal_moves=list(game.legal),
            fen=fen_of(board),
            is_check=game.is_check,
            result=game.result,
            current_player_id=int(board.turn == chess.BLACK),
            done=game.result is not None,
            truncated=game.truncated,
            reward=reward,
            metadata=metadata,
        )

    def _text(self, board: chess.Board, viewer: chess.Color) -> str:
        rows = str(board).splitlines()
        rows = [f"{8 - index} {row}" for index, row in enumerate(rows)]
        files = "  a b c d e f g h"
        if viewer == chess.BLACK:
            rows = [row[:2] + row[:1:-1] for row in reversed(rows)]
            files = "  h g f e d c b a"
        turn = f"{chess.COLOR_NAMES[board.turn]} to move"
        last = f", after {board.peek().uci()}" if board.move_stack else ""
        return "\n".join([*rows, files, (self._game.result or turn) + last]) + "\n"
