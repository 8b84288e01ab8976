"""BrowserGym: tasks for agents that use a browser; MiniWoB++ runs offline.

``import browsergym`` inside this package is the library: imports are absolute.
"""

from openenv_gym_envs.browsergym.client import BrowserGymEnv
from openenv_gym_envs.browsergym.models import (
    BrowserGymAction,
    BrowserGymObservation,
    BrowserGymState,
)

__all__ = ["BrowserGymAction", "BrowserGymEnv", "BrowserGymObservation", "BrowserGymState"]
