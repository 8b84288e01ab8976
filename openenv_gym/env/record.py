"""``openenv_gym.record(env, "game.oeg")``: what passes the link of an environment, in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import gymnasium

from openenv_gym.env.closed_link import ClosedLink
from openenv_gym.env.env import OpenEnvGym
from openenv_gym.errors import ClosedError, CodecError, OpenEnvGymError, OptionError
from openenv_gym.transport import Link
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import (
    Failure,
    Reply,
    Request,
    Reset,
    Result,
    Step,
    StepOutcome,
)
from openenv_gym.wire.recording import RecordingWriter

EnvT = TypeVar("EnvT", bound=gymnasium.Env[Any, Any])


def record(env: EnvT, path: str | Path) -> EnvT:
    """Record what an environment is asked and answers from now on, until it is closed.

    ``transport="replay"`` plays the file without the environment. The format is that of
    :mod:`openenv_gym.wire.recording`.

    Args:
        env: An environment of this package, with any wrappers, over any transport.
        path: The file; one that is there is replaced.

    Returns:
        The environment itself.

    Raises:
        OptionError: It is not a single environment of this package, or is recorded already.
        RecordingError: The file cannot be written.
        ClosedError: The environment is closed.
    """
    own = env.unwrapped
    if not isinstance(own, OpenEnvGym):
        raise OptionError(
            f"record() takes an environment that gymnasium.make() made of an openenv-gym id, not a "
            f"{type(own).__name__}."
        )
    if isinstance(own.link, RecordingLink):
        raise OptionError("This environment is recorded already: close() ends that.")
    if isinstance(own.link, ClosedLink):
        raise ClosedError("The environment is closed: make a new one to record.")
    writer = RecordingWriter(Path(path), own.request, own.link.description)
    own.link = RecordingLink(own.link, writer)
    return env


class RecordingLink(Link):
    """A link that writes down what passes another one.

    Args:
        link: The open session.
        writer: Where it is written to.
    """

    def __init__(self, link: Link, writer: RecordingWriter) -> None:
        self._link = link
        self._writer = writer
        self._sent: bytes | None = None
        self.description = link.description

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements Link.isolation."""
        return self._link.isolation

    @property
    def space_sources(self) -> dict[str, str]:
        """Implements Link.space_sources."""
        return self._link.space_sources

    def step(self, action: Any) -> StepOutcome:
        """Implements Link.step, by the shortest way that the link has."""
        request = _encoded(Step(action))
        try:
            outcome = self._link.step(action)
        except OpenEnvGymError as error:
            self._add(request, Failure.of(error))
            raise
        self._add(request, Result(*outcome))
        return outcome

    def exchange(self, request: Request) -> Reply:
        """Implements Link.exchange."""
        if isinstance(request, Reset):
            self._writer.flush()
        sent = _encoded(request)
        try:
            reply = self._link.exchange(request)
        except OpenEnvGymError as error:
            self._add(sent, Failure.of(error))
            raise
        self._add(sent, reply)
        return reply

    def send(self, request: Request) -> None:
        """Implements Link.send."""
        self._sent = _encoded(request)
        self._link.send(request)

    def receive(self, timeout: float | None) -> Reply:
        """Implements Link.receive."""
        reply = self._link.receive(timeout)
        self._add(self._sent, reply)
        return reply

    def ready(self, timeout: float) -> bool:
        """Implements Link.ready."""
        return self._link.ready(timeout)

    def fileno(self) -> int | None:
        """Implements Link.fileno."""
        return self._link.fileno()

    def close(self) -> None:
        """Implements Link.close: the file ends too."""
        self._writer.close()
        self._link.close()

    def _add(self, request: bytes | None, reply: Reply) -> None:
        if request is not None:
            self._writer.add(request, encode(reply))


def _encoded(request: Request) -> bytes | None:
    """Return the bytes of a request; None of what is not an action, which changes nothing."""
    try:
        return encode(request)
    except CodecError:
        return None
