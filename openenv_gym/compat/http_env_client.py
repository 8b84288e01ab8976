"""The client of OpenEnv 0.1, whose subclass says how models become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from openenv_gym.client import JsonClient

ActionT = TypeVar("ActionT")
ObservationT = TypeVar("ObservationT")


class HTTPEnvClient(JsonClient[ActionT, ObservationT, Any]):
    """A client by its three methods ``_step_payload``, ``_parse_result`` and ``_parse_state``.

    Args:
        base_url: The server: ``http://localhost:8000``.
        request_timeout_s: Seconds to wait for a reply.
        default_headers: Headers of each request.
        **keywords: Further ones of :class:`~openenv_gym.client.JsonClient`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        request_timeout_s: float = 15.0,
        default_headers: Mapping[str, str] | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(
            base_url, **{"timeout": request_timeout_s, "headers": default_headers, **keywords}
        )
