"""The typed client of Chess."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.chess.models import ChessAction, ChessObservation, ChessState


class ChessEnv(EnvClient[ChessAction, ChessObservation, ChessState], environment="chess"):
    """The typed client of Chess."""
