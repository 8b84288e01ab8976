"""The typed clients of SUMO-RL."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.sumo.models import (
    SumoAction,
    SumoJunctionsAction,
    SumoJunctionsObservation,
    SumoObservation,
    SumoState,
)


class SumoEnv(EnvClient[SumoAction, SumoObservation, SumoState], environment="sumo"):
    """The typed client of one junction."""


class SumoJunctionsEnv(EnvClient[SumoJunctionsAction, SumoJunctionsObservation, SumoState]):
    """The typed client of all junctions, for ``junction="all"`` or a network with several."""

    environment = "sumo"
