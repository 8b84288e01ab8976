"""Bytes in, bytes out: what every face of the server does with a request."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from time import perf_counter_ns
from typing import Any

import numpy as np
from msgspec.msgpack import Encoder

from openenv_gym.errors import EnvironmentFailedError, OpenEnvGymError, ProtocolError
from openenv_gym.registry import Entry
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.session import Session
from openenv_gym.spaces.batch import Empty
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Failure, Reply, Request

CarryOut = Callable[[Session, Request, int], Any]
"""What :func:`carry_out` is; another gives replies of another form."""

_log = logging.getLogger(__name__)


def read(data: Any) -> Request:
    """The request in the bytes.

    Raises:
        CodecError: They are not a message of ours.
        ProtocolError: They are a reply.
    """
    message = decode(data)
    if not isinstance(message, Request):
        raise ProtocolError(f"A {type(message).__name__} is not a request.")
    return message


def carry_out(
    session: Session, request: Request, arrived: int = 0, encoder: Encoder | None = None
) -> bytes:
    """The encoded reply to a request; a failure, if it fails. Never raises.

    Args:
        session: Carries it out.
        request: What is asked.
        arrived: When a timed request came, by ``perf_counter_ns``.
        encoder: Makes bytes of the reply, if not the usual one.
    """
    try:
        reply = _timed(session, request, arrived) if request.timed else session.handle(request)
        reply.id = request.id
        return encode(reply, encoder)
    except OpenEnvGymError as error:
        return refusal(error, request.id)
    # An environment that calls sys.exit() must not end the server, or leave the client waiting.
    except BaseException as error:
        return refusal(unforeseen(error), request.id)


def unforeseen(error: BaseException) -> OpenEnvGymError:
    """Return the error that a client gets for one that nothing in the session handled."""
    _log.error("a session failed", exc_info=error)
    return EnvironmentFailedError(
        f"The server failed with {type(error).__name__}; its log says more.",
        error=type(error).__name__,
    )


def _timed(session: Session, request: Request, arrived: int) -> Reply:
    begun = perf_counter_ns()
    reply = session.handle(request)
    reply.spent = (begun - arrived if arrived else 0, perf_counter_ns() - begun)
    return reply


def refusal(error: OpenEnvGymError, id: int) -> bytes:
    """Return the encoded failure that reports an error."""
    failure = Failure.of(error)
    failure.id = id
    try:
        return encode(failure)
    except OpenEnvGymError:
        # Something in it does not travel: its text does.
        failure.message = _text(failure.message)
        failure.fields = {_text(name): _text(value) for name, value in failure.fields.items()}
        return encode(failure)


def _text(value: Any) -> str:
    """What a value says, as Unicode text: an error may quote what is not."""
    return str(value).encode(errors="backslashreplace").decode()


def answer(session: Session, data: Any, encoder: Encoder | None = None) -> bytes:
    """The encoded reply to an encoded request. Never raises."""
    try:
        request = read(data)
    except OpenEnvGymError as error:
        return refusal(error, 0)
    return carry_out(session, request, encoder=encoder)


def session_for_owner(
    environment: str | None = None,
    options: Mapping[str, Any] | None = None,
    empty: Empty = np.empty,
) -> Session:
    """Return a session whose client is its owner, who may ask for values as JSON.

    Args:
        environment: The one that is served; None: whatever is asked for.
        options: Options of the environment, unless the client gives others.
        empty: As of :class:`~openenv_gym.sessions.session.Session`.
    """
    return Session(environment, options=options, make_json_adapter=_make_json_adapter, empty=empty)


def _make_json_adapter(entry: Entry, options: Mapping[str, Any], mode: str | None) -> Adapter:
    # Here, since it loads Pydantic and more, which few sessions of an owner have need of.
    from openenv_gym.server.openenv_protocol.adapter import make_json_adapter

    return make_json_adapter(entry, options, mode)
