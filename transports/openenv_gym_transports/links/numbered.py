"""Requests with numbers, by which a reply that comes late is known for one."""

from __future__ import annotations

from openenv_gym.errors import ExchangeTimeoutError, SessionLostError
from openenv_gym.transport import Transport
from openenv_gym.wire.messages import Failure, Reply, Request


class NumberedTransport(Transport):
    """What the transports share that may give up waiting and go on.

    Args:
        timeout: Seconds to wait for a reply; None waits for ever.
    """

    def __init__(self, *, timeout: float | None) -> None:
        super().__init__(timeout=timeout)
        self._sent = 0

    def _numbered(self, request: Request) -> bytes:
        """The encoded request, with its number."""
        request.id = self._sent + 1
        data = self.encode(request)
        self._sent += 1
        return data

    def _due(self, data: bytes | bytearray | memoryview) -> Reply | None:
        """The reply in the bytes, if it is the one to the last request."""
        reply = self.decode(data)
        # An older number answers a request that was given up. 0 answers what was no request.
        if reply.id == self._sent or (reply.id == 0 and type(reply) is Failure):
            return reply
        return None

    def _late(self, timeout: float | None) -> ExchangeTimeoutError:
        return ExchangeTimeoutError(
            f"No reply within {timeout} s. The environment may still be at it: reset() waits for "
            "it anew, close() ends it; timeout= sets the limit.",
            timeout=timeout,
        )

    def _not_open(self) -> SessionLostError:
        return SessionLostError("The transport is not open, or closed: make a new environment.")
