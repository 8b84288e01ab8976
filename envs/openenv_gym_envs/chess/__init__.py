"""Chess, by the rules of FIDE, against several opponents.

``import chess`` inside this package is python-chess: imports are absolute.
"""

from openenv_gym_envs.chess.client import ChessEnv
from openenv_gym_envs.chess.models import ChessAction, ChessObservation, ChessState

__all__ = ["ChessAction", "ChessEnv", "ChessObservation", "ChessState"]
