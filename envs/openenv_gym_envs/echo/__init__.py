"""Echo: the message comes back, and each of its characters is worth 0.1."""

from openenv_gym.client import EnvClient
from openenv_gym.models import State
from openenv_gym_envs.echo.models import EchoAction, EchoObservation

__all__ = ["EchoAction", "EchoEnv", "EchoObservation"]


class EchoEnv(EnvClient[EchoAction, EchoObservation, State], environment="echo"):
    """The typed client of Echo."""
