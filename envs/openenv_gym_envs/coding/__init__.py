"""Python code, run in a sandbox, in a namespace that lasts for the episode."""

from openenv_gym_envs.coding.client import CodingEnv
from openenv_gym_envs.coding.models import CodeAction, CodeObservation, CodeState

__all__ = ["CodeAction", "CodeObservation", "CodeState", "CodingEnv"]
