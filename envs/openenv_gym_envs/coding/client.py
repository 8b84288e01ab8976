"""The typed client of Coding."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.coding.models import CodeAction, CodeObservation, CodeState


class CodingEnv(EnvClient[CodeAction, CodeObservation, CodeState], environment="coding"):
    """The typed client of Coding."""
