"""Errors in the form of OpenEnv's protocol: a code, a message, and what is wrong with the input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_json

from openenv_gym.errors import (
    ActionError,
    EnvironmentFailedError,
    EpisodeError,
    OpenEnvGymError,
    OptionError,
    ServerClosingError,
    ServerFullError,
    SessionLostError,
)

_MOST = 20  # problems of one input that are reported
_LONGEST = 500  # bytes of an input that an error shows


class FactoryError(EnvironmentFailedError):
    """Raised when the environment of a session cannot be made."""


_CODES: Mapping[type[OpenEnvGymError], tuple[str, int]] = {
    ActionError: ("VALIDATION_ERROR", 422),
    OptionError: ("VALIDATION_ERROR", 422),
    EpisodeError: ("EXECUTION_ERROR", 409),
    ServerFullError: ("CAPACITY_REACHED", 503),
    ServerClosingError: ("SESSION_ERROR", 503),
    SessionLostError: ("SESSION_ERROR", 404),
    FactoryError: ("FACTORY_ERROR", 500),
}


def problems_of(error: ValidationError) -> list[dict[str, Any]]:
    """Pydantic's report of what is wrong with an input, in JSON values only and shortened."""
    return [_problem(detail) for detail in error.errors()[:_MOST]]


def _problem(detail: Any) -> dict[str, Any]:
    reported = dict(detail)
    if "ctx" in reported:
        reported["ctx"] = {name: _plain(value) for name, value in reported["ctx"].items()}
    try:
        shown = to_json(reported.pop("input"), fallback=str, inf_nan_mode="null")
    except PydanticSerializationError:
        return reported
    if len(shown) <= _LONGEST:
        reported["input"] = json.loads(shown)
    return reported


def _plain(value: Any) -> Any:
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def code_of(error: OpenEnvGymError) -> str:
    """Return the code that the protocol has for an error."""
    return _code_and_status(error)[0]


def status_of(error: OpenEnvGymError) -> int:
    """Return the HTTP status of an error."""
    return _code_and_status(error)[1]


def _code_and_status(error: OpenEnvGymError) -> tuple[str, int]:
    known = (_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)
    return next(known, ("EXECUTION_ERROR", 500))


def facts_of(error: OpenEnvGymError) -> dict[str, Any]:
    """Fields that are sent beside the message of an error."""
    if isinstance(error, ServerFullError):
        most: int = error.fields["max_sessions"]
        return {"active_sessions": most - error.fields["free"], "max_sessions": most}
    if isinstance(error, ActionError | OptionError):
        unknown = {"type": "value_error", "loc": [], "msg": str(error)}
        return {"errors": error.fields.get("errors", [unknown])}
    if isinstance(error, FactoryError):
        return {"factory_name": error.fields["factory_name"]}
    return {}


def message_of(error: OpenEnvGymError) -> str:
    """The message of an error; that of a full server is the protocol's own."""
    if isinstance(error, ServerFullError):
        facts = facts_of(error)
        return (
            f"Server at capacity: {facts['active_sessions']}/{facts['max_sessions']} sessions "
            "active. Cannot accept new connections."
        )
    return str(error)


def refused_action(problems: list[dict[str, Any]]) -> ActionError:
    """Return the error for an invalid action."""
    first = problems[0]
    place = ".".join(map(str, first["loc"])) or "it"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return ActionError(
        f"The action was refused, and the environment not stepped: {place}: {first['msg']}{more}.",
        errors=problems,
    )
