"""One environment behind a link, as a ``gymnasium.Env``."""

from openenv_gym.env.env import OpenEnvGym

__all__ = ["OpenEnvGym"]
