"""Where the time of one step goes, measured at both ends."""

from __future__ import annotations

from time import perf_counter_ns
from typing import Any, NamedTuple

from openenv_gym.wire.codec import Decoders, encode
from openenv_gym.wire.messages import Reply, Request


class Timing(NamedTuple):
    """Where the time of one exchange went, in nanoseconds.

    Attributes:
        encode: Making bytes of the request, at this end.
        wire: All between the two ends: the way there and back, the other end's codec, and its
            waking up.
        queue: In the server, until the session's thread took the request up.
        environment: In the session: the environment's own code, and the conversion of its values.
        decode: Making a reply of the bytes, at this end.
    """

    encode: int
    wire: int
    queue: int
    environment: int
    decode: int


class Stopwatch:
    """Times exchanges at the client's end, in place of the plain codec.

    Attributes:
        last: The last exchange; None before there was one.
    """

    def __init__(self) -> None:
        self.last: Timing | None = None
        self._encode = 0
        self._encoded = 0

    def encode(self, request: Request) -> bytes:
        """Encode a request, and asks the other end for its share of the time."""
        request.timed = True
        begun = perf_counter_ns()
        data = encode(request)
        self._encoded = perf_counter_ns()
        self._encode = self._encoded - begun
        return data

    def decode(self, data: Any, decoders: Decoders) -> Request | Reply:
        """Decode a reply."""
        arrived = perf_counter_ns()
        message = decoders.decode(data)
        if isinstance(message, Reply) and message.spent is not None:
            queue, environment = message.spent
            wire = arrived - self._encoded - queue - environment
            spent = perf_counter_ns() - arrived
            self.last = Timing(self._encode, wire, queue, environment, spent)
        return message
