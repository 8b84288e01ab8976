"""A container whose image serves by itself, on port 8000, as OpenEnv's own images do."""

from __future__ import annotations

import contextlib
from time import monotonic, sleep
from typing import Any

from openenv_gym.errors import StartError, TransportError
from openenv_gym.wire.messages import Description, Open, OpenVector
from openenv_gym_transports.containers.container import Container
from openenv_gym_transports.containers.hardening import SERVED
from openenv_gym_transports.openenv_servers.server import StockServer
from openenv_gym_transports.websocket import WebSocketTransport

__all__ = ["ServedTransport"]

_PAUSE = 0.05
_ANSWER_LIMIT = 2.0  # seconds for one question after its health


class ServedTransport(WebSocketTransport):
    """A WebSocket to the server in a container of ours.

    Args:
        container: The container, which was started.
        port: Where its server is published on this host.
        **keywords: As of the WebSocket transport.
    """

    def __init__(self, container: Container, port: int, **keywords: Any) -> None:
        super().__init__(url=f"ws://127.0.0.1:{port}", **keywords)
        self._container = container
        self._server = StockServer(f"http://127.0.0.1:{port}", {}, proxies=False)

    def open(self, request: Open | OpenVector) -> Description:
        """Waits for the server, and opens the session.

        Raises:
            StartError: It does not start; the error has the last lines of its log.
        """
        self._wait()
        try:
            return super().open(request)
        except TransportError as error:
            fate = self._gone()
            if fate is None:
                raise
            raise self._not_up(fate) from error

    def _wait(self) -> None:
        """Waits until the server is healthy."""
        deadline = monotonic() + self._start_timeout
        while monotonic() < deadline:
            # Docker's proxy of the port answers from the start, if only by hanging up.
            with contextlib.suppress(OSError):
                if self._server.request("GET", "/health", limit=_ANSWER_LIMIT).status < 500:
                    return
            fate = self._gone()
            if fate is not None:
                raise self._not_up(fate)
            sleep(_PAUSE)
        raise self._not_up(self._container.fate())

    def _not_up(self, fate: str) -> StartError:
        image = self._container.image
        return StartError(
            f"The image {image} is none of openenv-gym's, so a server of its own is to listen on "
            f"port {SERVED}, within {self._start_timeout:g} s (start_timeout=). It does not. "
            f"{fate}",
            image=image,
            start_timeout=self._start_timeout,
            fate=fate,
        )

    def _gone(self) -> str | None:
        return self._container.dead()
