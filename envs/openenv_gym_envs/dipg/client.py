"""The typed client of DIPG Safety."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.dipg.models import DIPGAction, DIPGObservation, DIPGState


class DIPGSafetyEnv(EnvClient[DIPGAction, DIPGObservation, DIPGState], environment="dipg"):
    """The typed client of DIPG Safety."""
