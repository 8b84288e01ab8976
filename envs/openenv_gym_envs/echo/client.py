"""The typed client of Echo."""

from openenv_gym.client import EnvClient
from openenv_gym.models import State
from openenv_gym_envs.echo.models import EchoAction, EchoObservation


class EchoEnv(EnvClient[EchoAction, EchoObservation, State], environment="echo"):
    """The typed client of Echo."""
