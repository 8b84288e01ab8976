"""Replies as JSON: how a session of OpenEnv's protocol reports what it carried out."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any, Literal, TypeVar

import numpy as np
from pydantic_core import PydanticSerializationError, to_json

from openenv_gym.errors import EnvironmentFailedError, OpenEnvGymError
from openenv_gym.server.exchange import CarryOut, unforeseen
from openenv_gym.server.openenv_protocol.problems import code_of, facts_of, message_of, status_of
from openenv_gym.sessions.session import Session
from openenv_gym.wire.messages import Reply, Request, Result, StateReply

T = TypeVar("T")


def carrier(tell: Callable[[Reply], T], refuse: Callable[[OpenEnvGymError], T]) -> CarryOut:
    """Return a function that carries out a request and encodes its outcome; it never raises."""

    def carry_out(session: Session, request: Request, arrived: int) -> T:
        try:
            return tell(session.handle(request))
        except OpenEnvGymError as error:
            return refuse(error)
        except BaseException as error:
            return refuse(unforeseen(error))

    return carry_out


def plain(value: Any) -> Any:
    """What JSON has for a value that Pydantic does not know.

    Raises:
        TypeError: It has nothing.
    """
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"JSON has no {type(value).__module__}.{type(value).__qualname__}")


def written(value: Any, not_finite: Literal["null", "strings"] = "null") -> bytes:
    """A reply's value as JSON; infinity and NaN are null, or texts.

    Raises:
        EnvironmentFailedError: It holds what JSON does not.
    """
    try:
        return to_json(value, fallback=plain, inf_nan_mode=not_finite)
    except PydanticSerializationError as error:
        raise EnvironmentFailedError(
            "What the environment returned is not valid JSON, though the request was carried "
            f"out: {error}."
        ) from error


def result_data(result: Result) -> dict[str, Any]:
    """Return what the protocol says of a reset or a step."""
    return {
        "observation": result.observation,
        "reward": result.reward,
        "done": result.terminated or result.truncated,
    }


# Over WebSocket: one text frame.


def error_frame(code: str, message: str, **facts: Any) -> str:
    """Return the frame that reports an error."""
    # Of this the client may have sent any part, also what is not Unicode text.
    return json.dumps({"type": "error", "data": {"message": message, "code": code, **facts}})


def refusal_frame(error: OpenEnvGymError) -> str:
    """Return the frame that reports an error of ours."""
    return error_frame(code_of(error), message_of(error), **facts_of(error))


def _frame(reply: Reply) -> str:
    if isinstance(reply, Result):
        data = result_data(reply)
        if reply.info:
            data["metadata"] = reply.info
        return written({"type": "observation", "data": data}).decode()
    assert isinstance(reply, StateReply)
    return written({"type": "state", "data": reply.state}).decode()


FRAME = carrier(_frame, refusal_frame)
"""Carries out a request; gives the frame."""


# Over HTTP: status and body.


def error_body(error: OpenEnvGymError) -> tuple[int, bytes]:
    """Return the status and body that report an error."""
    facts = facts_of(error)
    if "errors" in facts:
        body: dict[str, Any] = {"detail": facts["errors"]}
    else:
        body = {"detail": message_of(error), "code": code_of(error), **facts}
    return status_of(error), json.dumps(body).encode()


def _body(reply: Reply, not_finite: Literal["null", "strings"] = "null") -> tuple[int, bytes]:
    if isinstance(reply, Result):
        data = result_data(reply)
        data["reward"] = None if reply.reward is None else float(reply.reward)
        data["metadata"] = reply.info or None
        return 200, written(data, not_finite)
    assert isinstance(reply, StateReply)
    return 200, written(reply.state, not_finite)


BODY = carrier(_body, error_body)
"""Carries out a request; gives status and body."""

PAGE_BODY = carrier(partial(_body, not_finite="strings"), error_body)
"""Likewise for our page, which shows "NaN" and "Infinity" where the protocol has null."""
