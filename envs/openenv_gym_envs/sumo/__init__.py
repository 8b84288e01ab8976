"""SUMO-RL: traffic lights, each choosing its next green phase, in the simulator SUMO."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.sumo.models import (
    SumoAction,
    SumoJunctionsAction,
    SumoJunctionsObservation,
    SumoObservation,
    SumoState,
)

__all__ = [
    "SumoAction",
    "SumoEnv",
    "SumoJunctionsAction",
    "SumoJunctionsEnv",
    "SumoJunctionsObservation",
    "SumoObservation",
    "SumoState",
]


class SumoEnv(EnvClient[SumoAction, SumoObservation, SumoState], environment="sumo"):
    """The typed client of one junction."""


class SumoJunctionsEnv(EnvClient[SumoJunctionsAction, SumoJunctionsObservation, SumoState]):
    """The typed client of all junctions: of ``junction="all"``, or a network of several."""

    environment = "sumo"
