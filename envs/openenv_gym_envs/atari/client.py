"""The typed client of Atari."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.atari.models import AtariAction, AtariObservation, AtariState


class AtariEnv(EnvClient[AtariAction, AtariObservation, AtariState], environment="atari"):
    """The typed client of Atari."""
