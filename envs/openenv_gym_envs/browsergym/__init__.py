"""BrowserGym: tasks for agents that use a browser; MiniWoB++ runs offline.

``import browsergym`` inside this package is the library: imports are absolute.
"""

from openenv_gym.client import EnvClient
from openenv_gym_envs.browsergym.models import (
    BrowserGymAction,
    BrowserGymObservation,
    BrowserGymState,
)

__all__ = ["BrowserGymAction", "BrowserGymEnv", "BrowserGymObservation", "BrowserGymState"]


class BrowserGymEnv(
    EnvClient[BrowserGymAction, BrowserGymObservation, BrowserGymState], environment="browsergym"
):
    """The typed client of BrowserGym."""
