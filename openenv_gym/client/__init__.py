"""Clients in the words of the OpenEnv guide, over every transport.

- :class:`EnvClient` speaks in the models of an environment, :class:`ToolClient` in calls of tools,
  :class:`GenericClient` in dicts, for a server whose models are not known here.
- :class:`AsyncClient` is any of them in a program that has an event loop.
- :func:`client_class` is the client of an environment by its id.
"""

from openenv_gym.client.asynchronous import AsyncClient
from openenv_gym.client.generic import GenericClient, JsonClient
from openenv_gym.client.tools import CallToolAction, CallToolObservation, ToolClient
from openenv_gym.client.typed import EnvClient, StepResult, client_class

__all__ = [
    "AsyncClient",
    "CallToolAction",
    "CallToolObservation",
    "EnvClient",
    "GenericClient",
    "JsonClient",
    "StepResult",
    "ToolClient",
    "client_class",
]
