"""The server's side of OpenEnv: models, environment, application."""

from openenv_gym.compat.env_server.interfaces import Environment
from openenv_gym.compat.env_server.types import Action, Observation, State
from openenv_gym.server.app import create_app
from openenv_gym.server.app import create_app as create_fastapi_app

__all__ = [
    "Action",
    "Environment",
    "Observation",
    "State",
    "create_app",
    "create_fastapi_app",
]
