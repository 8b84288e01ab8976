"""What a reset or a step gave, by OpenEnv's name for the module."""

from openenv_gym.client import StepResult

__all__ = ["StepResult"]
