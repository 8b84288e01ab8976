"""Models and results, by the name that the module has in older guides."""

from openenv_gym.compat.client_types import StepResult
from openenv_gym.compat.env_server.types import Action, Observation, State

__all__ = ["Action", "Observation", "State", "StepResult"]
