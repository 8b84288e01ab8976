"""The typed client of Connect4."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.connect4.models import Connect4Action, Connect4Observation, Connect4State


class Connect4Env(
    EnvClient[Connect4Action, Connect4Observation, Connect4State], environment="connect4"
):
    """The typed client of Connect4."""
