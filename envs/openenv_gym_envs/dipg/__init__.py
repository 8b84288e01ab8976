"""DIPG Safety: answers to questions about medical texts, graded for what they can prove."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.dipg.models import DIPGAction, DIPGObservation, DIPGState

__all__ = ["DIPGAction", "DIPGObservation", "DIPGSafetyEnv", "DIPGState"]


class DIPGSafetyEnv(EnvClient[DIPGAction, DIPGObservation, DIPGState], environment="dipg"):
    """The typed client of DIPG Safety."""
