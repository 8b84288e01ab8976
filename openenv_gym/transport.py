"""Transport: the one interface between the adapter and wherever the environment runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from openenv_gym.errors import OptionError, ProtocolError
from openenv_gym.wire.busy_wait import LIMIT
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import (
    Description,
    Failure,
    Open,
    OpenVector,
    Reply,
    Request,
    Result,
    Step,
    StepOutcome,
)
from openenv_gym.wire.timing import Stopwatch

ReplyT = TypeVar("ReplyT", bound=Reply)

STEP_TIMEOUT = 60.0
"""Seconds to wait for a reply, unless the user says otherwise."""


class Transport(ABC):
    """Carries messages to one session and back, in order, each exactly once.

    A transport is used by one environment. Its constructor only takes notes; :meth:`open` starts
    what it needs and connects. Whatever it started it owns until :meth:`close`.

    Args:
        timeout: Seconds to wait for a reply; None waits for ever.

    Raises:
        OptionError: ``timeout`` is not more than 0.

    Attributes:
        stopwatch: Where it is set, each exchange is timed.
        taken: An environment has it, or had it.
    """

    name: str
    """The word for it in ``transport=``."""

    near: bool = False
    """Nothing is between the session and the caller in which a reply could get lost."""

    taken: bool = False

    awake: float = LIMIT
    """Seconds to stay awake for a reply, where that pays; set before :meth:`open`."""

    core: int | None = None
    """The core that a process which it starts keeps to; set before :meth:`open`."""

    def __init__(self, *, timeout: float | None = STEP_TIMEOUT) -> None:
        if timeout is not None and not timeout > 0:
            raise OptionError(
                f"timeout={timeout!r}: give seconds, more than 0, or None to wait for ever.",
                timeout=timeout,
            )
        self.timeout = timeout
        self.stopwatch: Stopwatch | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Itself: gymnasium's wrappers copy an environment's spec, with the transport in it."""
        return self

    @abstractmethod
    def send(self, request: Request) -> None:
        """Sends a request on its way; its reply is fetched by :meth:`receive`.

        Raises:
            CodecError: A value in it cannot travel; nothing was sent.
            TransportError: It did not get through.
        """

    @abstractmethod
    def receive(self, timeout: float | None) -> Reply:
        """Waits for the reply to the request that was sent last.

        Raises:
            ExchangeTimeoutError: It did not come in time.
            TransportError: It will not come.
        """

    def ready(self, timeout: float) -> bool:
        """Whether a reply is there for :meth:`receive`; waits for it as long as that.

        A transport whose replies are there as soon as the request was sent need not say more.
        """
        return True

    def fileno(self) -> int | None:
        """What can be read when a reply comes, to wait for several at once; None: ask ready()."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Ends the session and what was started for it; a second call does nothing."""

    def encode(self, request: Request) -> bytes:
        """The request as bytes, by the one codec."""
        return encode(request) if self.stopwatch is None else self.stopwatch.encode(request)

    def decode(self, data: bytes | bytearray | memoryview) -> Reply:
        """The reply in the bytes, by the one codec.

        Raises:
            CodecError: They are no message.
            ProtocolError: They are no reply.
        """
        reply = decode(data) if self.stopwatch is None else self.stopwatch.decode(data)
        if isinstance(reply, Reply):
            return reply
        raise ProtocolError(f"The other end sent a {type(reply).__name__}, which is no reply.")

    def exchange(self, request: Request) -> Reply:
        """One request, one reply.

        Raises:
            OpenEnvGymError: What the session raised, as an error of the same kind.
        """
        self.send(request)
        reply = self.receive(self.timeout)
        if type(reply) is Failure:
            raise reply.error()
        return reply

    def step(self, action: Any) -> StepOutcome:
        """One step; a transport that needs no message for it may take a shorter way."""
        got = expect(Result, self.exchange(Step(action)))
        return got.observation, got.reward, got.terminated, got.truncated, got.info

    def open(self, request: Open | OpenVector) -> Description:
        """Starts and connects what is needed, and opens the session."""
        return expect(Description, self.exchange(request))

    @contextmanager
    def _limited(self, seconds: float) -> Iterator[None]:
        """Waits for replies as long as that, while the block runs."""
        usual, self.timeout = self.timeout, seconds
        try:
            yield
        finally:
            self.timeout = usual

    @property
    def isolation(self) -> dict[str, Any]:
        """What is between the environment and this process, as found, not as asked for."""
        return {"boundary": "none"}

    @property
    def space_sources(self) -> dict[str, str]:
        """Where the bounds of each leaf of the Spaces came from, if not from the other end."""
        return {}

    def _hand_over(self, carrier: Transport) -> None:
        """Lets another carry the messages from now on: who that is may be known on opening only."""
        for name in ("send", "receive", "ready", "fileno", "exchange", "step"):
            setattr(self, name, getattr(carrier, name))

    def __enter__(self) -> Transport:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def expect(kind: type[ReplyT], reply: Reply) -> ReplyT:
    """The reply, if it is of the kind that answers the request.

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
