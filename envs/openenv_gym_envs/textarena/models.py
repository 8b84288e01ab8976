"""Models of the TextArena environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated, Any

from gymnasium.spaces import Discrete
from pydantic import BaseModel, Field

from openenv_gym.models import Action, Choice, Info, Observation, State
from openenv_gym.spaces.utf8 import Utf8

MESSAGE_LENGTH = 4096
"""Most characters of one message of a player."""
TEXT_LENGTH = 65_536
"""Most characters of one message to a player: a longer one is cut to its end."""
MOST_PLAYERS = 15

CATEGORIES = (
    "MESSAGE",
    "PROMPT",
    "PLAYER_ACTION",
    "GAME_ACTION_DESCRIPTION",
    "GAME_MESSAGE",
    "GAME_BOARD",
    "GAME_ADMIN",
)
"""Categories of messages: TextArena's own, or ``MESSAGE`` where TextArena gives none."""


class TextArenaAction(Action):
    """A message to the game.

    Attributes:
        message: The message, with moves in square brackets, as the prompt says: ``"[crane]"``.
    """

    message: Annotated[str, Utf8(MESSAGE_LENGTH)]


class TextArenaMessage(BaseModel):
    """A message to a player.

    Attributes:
        sender_id: Number of the player who said it; -1 is the game.
        content: The text.
        category: One of :data:`CATEGORIES`.
    """

    sender_id: Annotated[int, Discrete(MOST_PLAYERS + 1, start=-1)] = -1
    content: Annotated[str, Utf8(TEXT_LENGTH)]
    category: Annotated[str, Choice(CATEGORIES)] = "MESSAGE"


class TextArenaObservation(Observation):
    """The view of the player whose turn it is.

    Attributes:
        prompt: The rules of the game for this player.
        messages: Mostly one message with the whole conversation; games whose ids end in ``-raw``
            return the messages since the last turn.
        current_player_id: Number of the player whose turn it is.
        legal_players: Numbers of all players.
        info: Information of the game, such as ``reward_signals`` of Wordle.
    """

    prompt: Annotated[str, Utf8(TEXT_LENGTH)]
    messages: list[TextArenaMessage]
    current_player_id: Annotated[int, Info()] = 0
    legal_players: Annotated[list[int], Info()] = Field(default_factory=list)
    info: Annotated[dict[str, Any], Info()] = Field(default_factory=dict)


class TextArenaState(State):
    """The state of the game.

    Attributes:
        env_id: TextArena's id of the game.
        num_players: Number of players.
        max_turns: Number of turns after which the game itself ends, where it is known.
        turn: Number of turns so far, of all players.
        last_reward: Reward of the last step.
        last_info: ``info`` of the last observation.
        raw_state: TextArena's own state of the game, **the solution included**.
    """

    env_id: str
    num_players: int
    max_turns: int | None = None
    turn: int = 0
    last_reward: float = 0.0
    last_info: dict[str, Any] = Field(default_factory=dict)
    raw_state: dict[str, Any] = Field(default_factory=dict)
