"""Models of the TextArena environment; field names are those of OpenEnv."""

from __future__ import annotations

from typing import Annotated, Any

from gymnasium.spaces import Discrete
from pydantic import BaseModel, Field

from openenv_gym.models import Action, Choice, Info, Observation, State
from openenv_gym.spaces.utf8 import Utf8

MESSAGE_LENGTH = 4096
"""The most characters that a player can say at once."""
TEXT_LENGTH = 65_536
"""The most characters that a player is told at once: the last ones of what is longer."""
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
"""What a message is: ``MESSAGE`` where TextArena does not tell, else its own names."""


class TextArenaAction(Action):
    """Says something to the game.

    Attributes:
        message: Moves stand in square brackets, as the prompt says: ``"[crane]"``.
    """

    message: Annotated[str, Utf8(MESSAGE_LENGTH)]


class TextArenaMessage(BaseModel):
    """What a player is told.

    Attributes:
        sender_id: The player who said it; -1 is the game.
        content: The text.
        category: One of :data:`CATEGORIES`.
    """

    sender_id: Annotated[int, Discrete(MOST_PLAYERS + 1, start=-1)] = -1
    content: Annotated[str, Utf8(TEXT_LENGTH)]
    category: Annotated[str, Choice(CATEGORIES)] = "MESSAGE"


class TextArenaObservation(Observation):
    """What the player whose turn it is knows.

    Attributes:
        prompt: The rules of the game, as told to this player.
        messages: Mostly one with the whole conversation; ids of TextArena that end in ``-raw``
            give the messages since the last turn.
        current_player_id: Whose turn it is.
        legal_players: All players.
        info: What the game adds; ``reward_signals`` of Wordle.
    """

    prompt: Annotated[str, Utf8(TEXT_LENGTH)]
    messages: list[TextArenaMessage]
    current_player_id: Annotated[int, Info()] = 0
    legal_players: Annotated[list[int], Info()] = Field(default_factory=list)
    info: Annotated[dict[str, Any], Info()] = Field(default_factory=dict)


class TextArenaState(State):
    """The game behind the text.

    Attributes:
        env_id: TextArena's id of the game.
        num_players: How many play.
        max_turns: Turns after which the game itself ends, where it tells.
        turn: Turns so far, of all players.
        last_reward: Reward of the last step.
        last_info: ``info`` of the last observation.
        raw_state: What TextArena keeps of the game, **the solution included**.
    """

    env_id: str
    num_players: int
    max_turns: int | None = None
    turn: int = 0
    last_reward: float = 0.0
    last_info: dict[str, Any] = Field(default_factory=dict)
    raw_state: dict[str, Any] = Field(default_factory=dict)
