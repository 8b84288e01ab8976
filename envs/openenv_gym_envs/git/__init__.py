"""Git commands on repositories of a server, and tasks to do with them."""

from openenv_gym_envs.git.client import GitEnv
from openenv_gym_envs.git.models import GitAction, GitObservation, GitState

__all__ = ["GitAction", "GitEnv", "GitObservation", "GitState"]
