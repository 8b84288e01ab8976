"""Fields that OpenEnv's own server of this environment leaves out of its observations."""

from __future__ import annotations

from typing import Any

import chess

from openenv_gym.environment import ServerReader
from openenv_gym_envs.chess.position import planes


class ChessReader(ServerReader):
    """Computes the planes, and whose turn it is, from the FEN.

    The agent plays the side whose turn it is after the reset. Where nobody answers its moves, it
    plays both sides, and the planes are seen from the side whose turn it is.
    """

    def __init__(self) -> None:
        self._board = chess.Board()
        self._agent = chess.WHITE
        self._both = False
        self._seen: set[str] = set()
        self._repeated = False

    def read(self, fields: dict[str, Any], action: dict[str, Any] | None) -> dict[str, Any]:
        """Implements ServerReader.read."""
        if not isinstance(fields.get("fen"), str):
            return fields  # this is not an observation of chess
        before, self._board = self._board, chess.Board(fields["fen"])
        if action is None:
            self._agent = self._board.turn
            self._seen = {self._board.epd()}
        else:
            self._follow(before, str(action["move"]), over=fields.get("result") is not None)
        viewer = self._board.turn if self._both else self._agent
        return {
            "planes": planes(self._board, viewer, self._repeated),
            "current_player_id": int(self._board.turn == chess.BLACK),
            **fields,
        }

    def _follow(self, before: chess.Board, text: str, *, over: bool) -> None:
        """Record the positions that a move led to."""
        move = chess.Move.from_uci(text)
        if move not in before.legal_moves:
            return  # nothing changed
        before.push(move)
        between, now = before.epd(), self._board.epd()
        if between != now:
            self._seen.add(between)
        elif not over:
            self._both = True
        self._repeated = now in self._seen
        self._seen.add(now)
