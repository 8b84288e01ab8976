"""TextArena: word games, puzzles and board games in plain text."""

from openenv_gym.client import EnvClient
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


class TextArenaEnv(
    EnvClient[TextArenaAction, TextArenaObservation, TextArenaState], environment="textarena"
):
    """The typed client of TextArena."""
