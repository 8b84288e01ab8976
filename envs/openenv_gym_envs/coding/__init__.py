"""Python code, run in a sandbox, in a namespace that lasts for the episode."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.coding.models import CodeAction, CodeObservation, CodeState

__all__ = ["CodeAction", "CodeObservation", "CodeState", "CodingEnv"]


class CodingEnv(EnvClient[CodeAction, CodeObservation, CodeState], environment="coding"):
    """The typed client of Coding."""
