"""The client's end of a session in an actor of Ray."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayError

from openenv_gym.errors import (
    EpisodeError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    ProtocolError,
    SessionLostError,
    StartError,
)
from openenv_gym.transport import LinkSettings
from openenv_gym.wire.messages import Close, Open, OpenVector, Reply, Request
from openenv_gym_transports.links.wire_link import WireLink

_PART = 80_000
_MOST_PARTS = 4
"""What Ray returns of less than 100 kB travels with the call's end; more goes through its object
store, which costs a call more than twice as much. So a reply that is likely to be a little larger,
as the last one was, comes in so many parts; of very large ones that would cost more than it saves.
"""


class RayLink(WireLink):
    """A session in an actor.

    Args:
        actor: Its handle; the actor ends with the link.
        timeout: Seconds to wait for a reply; None waits forever.
        settings: What the user of the link decides about it.
    """

    def __init__(self, actor: Any, *, timeout: float | None, settings: LinkSettings) -> None:
        super().__init__(timeout, settings)
        self._actor: Any = actor
        self._pending: list[Any] = []  # what stands for the parts of the reply that is on its way
        self._parts = 1
        self._fate = ""
        self._whereabouts: dict[str, Any] = {}

    def begin(self, request: Open | OpenVector, limit: float | None) -> None:
        """Open the session, within so many seconds; the actor is ended if that fails.

        Raises:
            StartError: The environment was not there in time.
        """
        try:
            whereabouts = self._actor.whereabouts.remote()
            super().begin(request, limit)
            self._whereabouts = ray.get(whereabouts, timeout=limit)
        except (SessionLostError, ExchangeTimeoutError) as error:
            fate = self._fate or _free()
            self.kill(fate)
            raise StartError(
                f"The actor with the environment {request.environment!r} did not start, for which "
                f"it had {limit} s (start_timeout=). {fate}",
                environment=request.environment,
                start_timeout=limit,
                fate=fate,
            ) from error
        except BaseException:
            self.close()
            raise

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements Link.isolation: a process of Ray's user, on some machine of the cluster."""
        return {"boundary": "process", **self._whereabouts}

    def send(self, request: Request) -> None:
        """Implements Link.send."""
        if self._actor is None:
            raise self._not_open()
        data = self._encode(request)
        parts = self._parts
        with self._losses():
            call = self._actor.exchange.options(num_returns=parts)
            pending = call.remote(data, parts)
        self._pending = pending if parts > 1 else [pending]

    def receive(self, timeout: float | None) -> Reply:
        """Implements Link.receive."""
        if self._actor is None:
            raise self._not_open()
        if not self._pending:
            raise EpisodeError("No request was sent: send() comes before receive().")
        with self._losses():
            try:
                pieces: list[Any] = ray.get(self._pending, timeout=timeout)
            except GetTimeoutError as error:
                raise self._late(timeout) from error
        self._pending = []
        data = bytearray().join(pieces)  # arrays of it can be written
        parts = -(-len(data) // _PART) or 1
        self._parts = parts if parts <= _MOST_PARTS else 1
        reply = self._decode(data)
        if reply is None:
            raise ProtocolError("The actor answered with the number of another request.")
        return reply

    def ready(self, timeout: float) -> bool:
        """Implements Link.ready."""
        if not self._pending or not ray.is_initialized():
            return True
        return bool(ray.wait(self._pending[:1], timeout=timeout)[0])

    def fate(self) -> str:
        """Implements Link.fate."""
        return self._fate

    @property
    def renewable(self) -> bool:
        """Implements Link.renewable."""
        return True

    def kill(self, reason: str) -> None:
        """Implements Link.kill."""
        self._fate = self._fate or reason
        actor, self._actor = self._actor, None
        if actor is not None and ray.is_initialized():
            with contextlib.suppress(Exception):  # it is gone, or its cluster is
                ray.kill(actor)

    def close(self) -> None:
        """Implements Link.close: close the environment, and end its actor."""
        if self.forked:
            return
        if self._actor is not None and not self._fate:
            with contextlib.suppress(Exception):  # whatever goes wrong here, the actor is ended
                self.send(Close())
                self.receive(self._close_limit)
        self.kill("")

    @contextlib.contextmanager
    def _losses(self) -> Iterator[None]:
        """Turn what Ray raises into our error: the session is lost, and so is its actor."""
        try:
            if not ray.is_initialized():  # any call would start another Ray
                raise RayError("ray.shutdown() was called.")
            yield
        except OpenEnvGymError:
            raise
        except Exception as error:  # of a handle from before ray.shutdown() it is a plain one
            self._fate = self._fate or _reason(error)
            raise SessionLostError(
                "The environment's actor is gone, and the episode with it: make a new "
                f"environment. {self._fate}",
                fate=self._fate,
            ) from error


def _reason(error: Exception) -> str:
    """Return what Ray says of an error, without its list of numbers."""
    return "\n".join(line for line in str(error).splitlines() if not line.startswith("\t")).strip()


def _free() -> str:
    """Return what the cluster has free, for the error of an actor that was not placed."""
    cluster: Any = ray  # which has no types here
    try:
        free = cluster.available_resources()
    except Exception:  # whatever Ray raises where it is in trouble
        return ""
    shown = {name: free[name] for name in sorted(free) if not name.startswith("node:")}
    return f"Ray has this free: {shown}."
