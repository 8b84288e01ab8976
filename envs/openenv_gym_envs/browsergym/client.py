"""The typed client of BrowserGym."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.browsergym.models import (
    BrowserGymAction,
    BrowserGymObservation,
    BrowserGymState,
)


class BrowserGymEnv(
    EnvClient[BrowserGymAction, BrowserGymObservation, BrowserGymState], environment="browsergym"
):
    """The typed client of BrowserGym."""
