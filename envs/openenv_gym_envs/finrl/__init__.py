"""FinRL: trading in shares day by day, with FinRL's own rules and real prices."""

from openenv_gym_envs.finrl.client import FinRLEnv
from openenv_gym_envs.finrl.models import FinRLAction, FinRLObservation, FinRLState

__all__ = ["FinRLAction", "FinRLEnv", "FinRLObservation", "FinRLState"]
