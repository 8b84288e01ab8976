"""OpenSpiel: the library's board games, card games, matrix games and mean-field games."""

from openenv_gym_envs.openspiel.client import OpenSpielEnv
from openenv_gym_envs.openspiel.models import (
    OpenSpielAction,
    OpenSpielObservation,
    OpenSpielState,
)

__all__ = ["OpenSpielAction", "OpenSpielEnv", "OpenSpielObservation", "OpenSpielState"]
