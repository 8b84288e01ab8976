"""Connect4: four in a row on a standing board of six rows and seven columns."""

from openenv_gym_envs.connect4.client import Connect4Env
from openenv_gym_envs.connect4.models import (
    Connect4Action,
    Connect4Observation,
    Connect4State,
)

__all__ = ["Connect4Action", "Connect4Env", "Connect4Observation", "Connect4State"]
