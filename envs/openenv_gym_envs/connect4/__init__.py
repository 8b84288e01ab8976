"""Connect4: four in a row on a standing board of six rows and seven columns."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.connect4.models import (
    Connect4Action,
    Connect4Observation,
    Connect4State,
)

__all__ = ["Connect4Action", "Connect4Env", "Connect4Observation", "Connect4State"]


class Connect4Env(
    EnvClient[Connect4Action, Connect4Observation, Connect4State], environment="connect4"
):
    """The typed client of Connect4."""
