"""The Connect4 environment: OpenEnv's rules, and opponents."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from openenv_gym.environment import Environment
from openenv_gym.models import ClientOption
from openenv_gym_envs.connect4.bitboards import CELLS, STRIDE, choose_column, has_four
from openenv_gym_envs.connect4.models import (
    COLUMNS,
    ROWS,
    Connect4Action,
    Connect4Observation,
    Connect4State,
)
from openenv_gym_envs.connect4.openenv_server import Connect4Reader

_SYMBOLS = {0: ".", 1: "X", -1: "O"}


class Connect4Environment(Environment[Connect4Action, Connect4Observation, Connect4State]):
    """Two players drop pieces in turn; the first to have four in a line wins.

    Player 1 begins, player -1 answers. As in OpenEnv the agent plays both sides unless
    an ``opponent`` is named, and the reward is for whoever moved. With an opponent the
    agent has one side, and the opponent's answer is part of the step.

    Rewards: 1 when the agent connects four, -1 when the opponent does, 0 for a full
    board, -1 for a full column, which ends the game; else 0. The rules are those of
    OpenEnv's ``connect4_env``; opponents are ours.

    Args:
        opponent: ``"self"``: no opponent; the agent plays both sides. ``"random"``: plays
            any column that is not full. ``"minimax"``: looks ahead, and chooses at random
            between equal columns.
        depth: Half-moves that ``"minimax"`` looks ahead: 1 takes a win, 2 blocks one.
        agent_player: The side of the agent where there is an opponent: 1 begins, -1
            lets the opponent begin; with ``"random"`` each reset draws it.
    """

    render_modes = ("ansi", "rgb_array")
    render_fps = 2
    inline = True
    server_reader = Connect4Reader
    beyond_openenv = ("current_player_id",)

    def __init__(
        self,
        opponent: Annotated[Literal["self", "random", "minimax"], ClientOption()] = "self",
        depth: Annotated[
            int, Field(ge=1, le=20), ClientOption(Annotated[int, Field(ge=1, le=6)])
        ] = 4,
        agent_player: Annotated[Literal[1, -1, "random"], ClientOption()] = 1,
    ) -> None:
        # A deep search takes milliseconds: too long for a server's event loop.
        self.inline = opponent != "minimax" or depth <= 2
        self.players = 2 if opponent == "self" else 1
        self._opponent = opponent
        self._depth = depth
        self._agent_player = agent_player
        self._clear()

    def _clear(self, episode_id: str | None = None) -> None:
        self._board: NDArray[np.int8] = np.zeros((ROWS, COLUMNS), np.int8)
        self._heights = [0] * COLUMNS
        self._open = list(range(COLUMNS))  # columns that are not full
        self._pieces: dict[int, int] = {1: 0, -1: 0}
        self._player = 1
        self._done = False
        self._last: tuple[int, int] | None = None
        self._steps = 0
        self._episode_id = episode_id

    def reset(self, episode_id: str | None = None) -> Connect4Observation:
        """Begin a game.

        Args:
            episode_id: Name of the episode in :attr:`state`.
        """
        self._clear(episode_id)
        if self._opponent != "self":
            agent = self._agent_player
            if agent == "random":
                agent = 1 if self.np_random.integers(2) else -1
            if agent == -1:
                self._drop(self._choose())
        return self._observe(0.0)

    def step(self, action: Connect4Action) -> Connect4Observation:
        """Implements Environment.step."""
        self._steps += 1
        if self._heights[action.column] == ROWS:
            self._done = True
            self._player = -self._player  # as in OpenEnv, where the turn passes all the same
            return self._observe(-1.0)
        if self._drop(action.column):
            return self._observe(1.0)
        if self._opponent != "self" and not self._done and self._drop(self._choose()):
            return self._observe(-1.0)
        return self._observe(0.0)

    def save(self) -> Any:
        """Implements Environment.save."""
        pieces = [self._pieces[1], self._pieces[-1]]
        return {
            "board": self._board.copy(),
            "pieces": pieces,
            "player": self._player,
            "done": self._done,
            "last": self._last,
            "steps": self._steps,
            "episode_id": self._episode_id,
        }

    def load(self, saved: Any) -> None:
        """Implements Environment.load."""
        self._clear(saved["episode_id"])
        self._board[:] = saved["board"]
        self._heights = np.count_nonzero(self._board, axis=0).tolist()
        self._open = [column for column in range(COLUMNS) if self._heights[column] < ROWS]
        self._pieces = dict(zip((1, -1), saved["pieces"], strict=True))
        self._player, self._done = saved["player"], saved["done"]
        self._last, self._steps = saved["last"], saved["steps"]

    @property
    def state(self) -> Connect4State:
        """The position; ``step_count`` counts the agent's steps."""
        return Connect4State(
            episode_id=self._episode_id,
            step_count=self._steps,
            board=self._board.tolist(),
            next_player=self._player,
        )

    def render(self) -> NDArray[np.uint8] | str | None:
        """Return the board: text, or (384, 448, 3) uint8 with the last piece marked."""
        if self.render_mode == "ansi":
            return self._text()
        if self.render_mode == "rgb_array":
            # Imported here, since Pillow is slow to load and only this needs it.
            from openenv_gym_envs.connect4.drawing import draw

            return draw(self._board, self._last)
        return None

    def _drop(self, column: int) -> bool:
        """Drop a piece of the player whose turn it is; return whether it won."""
        player, height = self._player, self._heights[column]
        self._heights[column] = height + 1
        if height + 1 == ROWS:
            self._open.remove(column)
        self._last = (ROWS - 1 - height, column)
        self._board[self._last] = player
        self._pieces[player] |= 1 << STRIDE * column + height
        self._player = -player
        won = has_four(self._pieces[player])
        self._done = won or self._pieces[1] | self._pieces[-1] == CELLS
        return won

    def _choose(self) -> int:
        """Choose the opponent's column."""
        if self._opponent == "minimax":
            own, other = self._pieces[self._player], self._pieces[-self._player]
            return choose_column(own, other, self._depth, self.np_random)
        # This takes a third of the time of integers().
        return self._open[int(self.np_random.random() * len(self._open))]

    def _observe(self, reward: float) -> Connect4Observation:
        return Connect4Observation(
            board=self._board.copy(),
            legal_actions=[] if self._done else self._open,
            current_player_id=int(self._player == -1),
            done=self._done,
            reward=reward,
            metadata={"next_player": self._player},
        )

    def _text(self) -> str:
        rows = [" ".join(_SYMBOLS[cell] for cell in row) for row in self._board.tolist()]
        rows.append(" ".join(map(str, range(COLUMNS))))
        turn = "game over" if self._done else f"{_SYMBOLS[self._player]} to move"
        return "\n".join([*rows, turn]) + "\n"
