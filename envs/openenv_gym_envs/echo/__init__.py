"""Echo: the message comes back, and each of its characters is worth 0.1."""

from openenv_gym_envs.echo.client import EchoEnv
from openenv_gym_envs.echo.models import EchoAction, EchoObservation

__all__ = ["EchoAction", "EchoEnv", "EchoObservation"]
