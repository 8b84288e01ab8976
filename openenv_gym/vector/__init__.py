"""Vector environments: many lanes, spread over workers that run side by side."""

from openenv_gym.vector.env import OpenEnvVectorEnv

__all__ = ["OpenEnvVectorEnv"]
