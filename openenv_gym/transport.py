"""Transport and Link: how an environment is reached, and one open session with it."""

from __future__ import annotations

import copy
import socket
from abc import ABC, abstractmethod
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from openenv_gym.errors import (
    CopyError,
    EpisodeError,
    ProtocolError,
)
from openenv_gym.wire.busy_wait import LIMIT
from openenv_gym.wire.messages import (
    Description,
    Open,
    OpenVector,
    Reply,
    Request,
    Result,
    Step,
    StepOutcome,
)
from openenv_gym.wire.time_limits import NO_LIMITS, TimeLimits, check_seconds
from openenv_gym.wire.timing import Stopwatch

ReplyT = TypeVar("ReplyT", bound=Reply)

STEP_TIMEOUT = 60.0
"""Seconds to wait for a reply, unless the user says otherwise."""

START_TIMEOUT = 60.0
"""Seconds until what a transport starts must be there, unless the user says otherwise."""


@dataclass(frozen=True)
class LinkSettings:
    """What the user of one link decides about it; the transport is the same for all.

    Attributes:
        stopwatch: Times each exchange, where it is set.
        core: The core that a process which is started for the link keeps to; None for any.
        place: Number of the link among those of one vector: of several addresses each begins with
            another.
        busy_wait: Seconds to stay awake for a reply, where that pays.
        shared_memory: Large arrays may come through memory that both ends share, where there is
            any.
        views: Batches of observations may be left there: each stands until the one
            after the next.
        limits: How long requests of each kind may take; else the transport's ``timeout`` holds.
    """

    stopwatch: Stopwatch | None = None
    core: int | None = None
    place: int = 0
    busy_wait: float = LIMIT
    shared_memory: bool = True
    views: bool = False
    limits: TimeLimits = NO_LIMITS


DEFAULT_SETTINGS = LinkSettings()


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Transport(ABC):
    """How an environment is reached: a value that holds notes, and no connection.

    One transport can be used by any number of environments, pickled, compared and shown. A subclass
    is best a frozen dataclass too. ``openenv_gym.register_transport`` gives it a name for
    ``transport=``.

    Attributes:
        timeout: Seconds to wait for a reply; None waits forever.
        start_timeout: Seconds until the environment must be there.

    Raises:
        OptionError: ``timeout`` or ``start_timeout`` is not a number of seconds.
    """

    name: ClassVar[str]
    """The word for it in ``transport=``."""

    secrets: ClassVar[frozenset[str]] = frozenset({"token", "headers"})
    """Names of fields that are not shown."""

    timeout: float | None = STEP_TIMEOUT
    start_timeout: float = START_TIMEOUT

    @property
    def side_by_side(self) -> int:
        """How many links of one vector are opened at a time."""
        return 1

    def __post_init__(self) -> None:
        check_seconds("timeout", self.timeout, "None to wait forever")
        check_seconds("start_timeout", self.start_timeout, "leave it out")

    @abstractmethod
    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Start what is needed, connect to it, and open a session.

        Args:
            request: Names the environment.
            settings: What the user of the link decides about it.

        Returns:
            The open link, which owns whatever was started for it.

        Raises:
            OpenEnvGymError: The session could not be opened; nothing is left behind.
        """

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        plain = str | int | float | None
        fields = tuple(value for value in vars(self).values() if isinstance(value, plain))
        return hash((type(self), fields))

    def __repr__(self) -> str:
        shown = (
            f"{name}={'...' if name in self.secrets else repr(value)}"
            for name, value in vars(self).items()
            if value is not None
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Link(ABC):
    """One open session: carries requests to it and replies back, in order, each exactly once.

    Attributes:
        description: Spaces, metadata, and whether there is an action mask.
    """

    description: Description

    description_follows: ClassVar[bool] = False
    """The description is another as soon as a Space became wider."""

    @property
    def isolation(self) -> dict[str, Any]:
        """What is between the environment and this process, as found, not as asked for."""
        return {"boundary": "none"}

    @property
    def space_sources(self) -> dict[str, str]:
        """Where the bounds of each leaf of the Spaces came from, if not from the other end."""
        return dict(self.description.sources)

    @abstractmethod
    def send(self, request: Request) -> None:
        """Send a request; its reply is fetched by :meth:`receive`.

        Raises:
            CodecError: A value in it cannot travel; nothing was sent.
            TransportError: It did not get through.
        """

    @abstractmethod
    def receive(self, timeout: float | None) -> Reply:
        """Wait for the reply to the request that was sent last.

        Raises:
            ExchangeTimeoutError: It did not come in time.
            TransportError: It will not come.
        """

    @abstractmethod
    def exchange(self, request: Request) -> Reply:
        """Send a request and wait for its reply.

        Raises:
            OpenEnvGymError: What the session raised, as an error of the same kind.
        """

    @abstractmethod
    def close(self) -> None:
        """End the session and what was started for it; a second call does nothing."""

    def step(self, action: Any) -> StepOutcome:
        """Carry out one action; a link that needs no message for it may take a shorter way."""
        return expect(Result, self.exchange(Step(action))).outcome

    def detach(self) -> socket.socket | None:
        """Give away the socket of the open session, whose messages are those of a Stream.

        From then on the owner of the socket carries requests and replies; :meth:`close` ends what
        was started for the link, and nothing else may be called. None where the link has none.
        """
        return None

    def count_step(self) -> None:  # noqa: B027  # most links count nothing
        """Note a step that the socket's new owner sends; see :meth:`detach`."""

    def fate(self) -> str:
        """Return what became of the other end, for an error; empty where that is not known."""
        return ""

    @property
    def renewable(self) -> bool:
        """Its other end was started for it alone, so that another can take its place."""
        return False

    def kill(self, reason: str) -> None:
        """End what was started for the link at once, which does not answer; like :meth:`close`.

        Args:
            reason: What :meth:`fate` says of it from then on, to all who share it.
        """
        self.close()

    def give_up(self, reason: str) -> None:
        """End the session, which does not answer, and what runs it, unless others share that."""
        self.kill(reason)

    def ready(self, timeout: float) -> bool:
        """Return whether a reply is there for :meth:`receive`; waits for it as long as that."""
        return True

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        self.check_copy()
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        for name, value in vars(self).items():
            setattr(twin, name, copy.deepcopy(value, memo))
        return twin

    def check_copy(self) -> None:
        """Check that the session can be copied: it is in this process.

        Raises:
            CopyError: It is not.
        """
        raise CopyError(
            "An environment over a transport cannot be copied. Make another, and give "
            "env.unwrapped.snapshot() to its restore()."
        )

    def fileno(self) -> int | None:
        """Return what can be read when a reply comes, to wait for several; None: ask ready()."""
        return None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class ImmediateLink(Link):
    """A link whose replies are there as soon as a request was made."""

    _reply: Reply | None = None

    @abstractmethod
    def handle(self, request: Request) -> Reply:
        """Carry out one request.

        Raises:
            OpenEnvGymError: It failed; the error says why.
        """

    def exchange(self, request: Request) -> Reply:
        """Implements Link.exchange: what fails is raised where it happened, with its cause."""
        return self.handle(request)

    def send(self, request: Request) -> None:
        """Implements Link.send: the request is carried out."""
        self._reply = self.handle(request)

    def receive(self, timeout: float | None) -> Reply:
        """Implements Link.receive."""
        reply, self._reply = self._reply, None
        if reply is None:
            raise EpisodeError("No request was sent: send() comes before receive().")
        return reply


def expect(kind: type[ReplyT], reply: Reply) -> ReplyT:
    """Return the reply, if it is of the kind that answers the request.

    Args:
        kind: Class of the reply that is due.
        reply: What came.

    Raises:
        ProtocolError: It is not.
    """
    if type(reply) is kind:
        return reply
    raise ProtocolError(
        f"The session answered with {type(reply).__name__} where {kind.__name__} was due: the "
        "other end breaks the protocol. Use the same openenv-gym at both ends.",
        expected=kind.__name__,
        got=type(reply).__name__,
    )
