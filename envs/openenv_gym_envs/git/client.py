"""The typed client of Git."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.git.models import GitAction, GitObservation, GitState


class GitEnv(EnvClient[GitAction, GitObservation, GitState], environment="git"):
    """The typed client of Git."""
