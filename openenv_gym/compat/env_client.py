"""The client of OpenEnv 0.2 and later, whose subclass says how models become JSON."""

from __future__ import annotations

from typing import TypeVar

from openenv_gym.client import JsonClient

ActionT = TypeVar("ActionT")
ObservationT = TypeVar("ObservationT")
StateT = TypeVar("StateT")


class EnvClient(JsonClient[ActionT, ObservationT, StateT]):
    """A client by its three methods ``_step_payload``, ``_parse_result`` and ``_parse_state``.

    The arguments are those of :class:`~openenv_gym.client.JsonClient`.
    """
