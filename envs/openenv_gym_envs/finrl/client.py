"""The typed client of FinRL."""

from openenv_gym.client import EnvClient
from openenv_gym_envs.finrl.models import FinRLAction, FinRLObservation, FinRLState


class FinRLEnv(EnvClient[FinRLAction, FinRLObservation, FinRLState], environment="finrl"):
    """The typed client of FinRL."""
