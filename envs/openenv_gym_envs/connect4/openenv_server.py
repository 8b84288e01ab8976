"""A field that OpenEnv's own server of this environment leaves out of its observations."""

from __future__ import annotations

from typing import Any

from openenv_gym.environment import ServerReader


class Connect4Reader(ServerReader):
    """Adds whose turn it is. In OpenEnv the caller plays both sides, and each step passes the turn.

    Attributes:
        players: Number of sides that the caller plays: both.
    """

    players = 2

    def __init__(self) -> None:
        self._steps = 0

    def read(self, fields: dict[str, Any], action: dict[str, Any] | None) -> dict[str, Any]:
        """Implements ServerReader.read."""
        self._steps += action is not None
        # Legacy servers drop the metadata.
        turn = fields["metadata"].setdefault("next_player", -1 if self._steps % 2 else 1)
        return {"current_player_id": int(turn == -1), **fields}
