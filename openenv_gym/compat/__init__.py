"""The names of OpenEnv's own package, so that what its guide shows runs with the imports changed.

::

    from openenv_gym.compat import Action, Environment, Observation, State      # the models
    from openenv_gym.compat import create_fastapi_app                           # the server
    from openenv_gym.compat import HTTPEnvClient, StepResult                    # the client

The modules have OpenEnv's names too: ``openenv_gym.compat.env_server``, ``.http_env_client``,
``.env_client``, ``.client_types``. Models may be Pydantic models or have ``@dataclass``.

What runs is openenv-gym's own: an environment that is written so is a ``gymnasium.Env`` over every
transport, by :func:`openenv_gym.register_environment`.
"""

from openenv_gym.compat.client_types import StepResult
from openenv_gym.compat.env_client import EnvClient
from openenv_gym.compat.env_server import (
    Action,
    Environment,
    Observation,
    State,
    create_app,
    create_fastapi_app,
)
from openenv_gym.compat.http_env_client import HTTPEnvClient

__all__ = [
    "Action",
    "EnvClient",
    "Environment",
    "HTTPEnvClient",
    "Observation",
    "State",
    "StepResult",
    "create_app",
    "create_fastapi_app",
]
