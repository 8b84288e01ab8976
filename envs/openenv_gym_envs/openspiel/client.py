"""The typed client of OpenSpiel."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.openspiel.models import OpenSpielAction, OpenSpielObservation, OpenSpielState


class OpenSpielEnv(
    EnvClient[OpenSpielAction, OpenSpielObservation, OpenSpielState], environment="openspiel"
):
    """The typed client of OpenSpiel."""
