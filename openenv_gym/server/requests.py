"""Waiting for HTTP requests: the next one of a client that steps is about to come."""

from __future__ import annotations

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from openenv_gym.awake import AwakeLoop


class RequestProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol, with an event loop that stays awake where that pays."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awake = AwakeLoop(self.loop)

    def data_received(self, data: bytes) -> None:
        """Implements HttpToolsProtocol.data_received."""
        self._awake.arrived()
        super().data_received(data)

    def on_response_complete(self) -> None:
        """Implements HttpToolsProtocol.on_response_complete."""
        super().on_response_complete()
        self._awake.replied()
