"""OpenSpiel: board games, card games, matrix games and mean-field games of the library."""

from openenv_gym_envs.openspiel.models import (
    OpenSpielAction,
    OpenSpielObservation,
    OpenSpielState,
)

__all__ = ["OpenSpielAction", "OpenSpielObservation", "OpenSpielState"]
