"""TextArena: word games, puzzles and board games in plain text."""

from openenv_gym_envs.textarena.client import TextArenaEnv
from openenv_gym_envs.textarena.models import (
    TextArenaAction,
    TextArenaMessage,
    TextArenaObservation,
    TextArenaState,
)

__all__ = [
    "TextArenaAction",
    "TextArenaEnv",
    "TextArenaMessage",
    "TextArenaObservation",
    "TextArenaState",
]
