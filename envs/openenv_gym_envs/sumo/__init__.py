"""SUMO-RL: traffic lights that choose their next green phase, in the simulator SUMO."""

from openenv_gym_envs.sumo.client import SumoEnv, SumoJunctionsEnv
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
