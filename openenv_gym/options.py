"""Options: keywords checked against the typed signature that takes them, before it is called."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from openenv_gym.errors import OptionError


def checked(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    what: str,
    *,
    reserved: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """The given keywords, validated and converted to the types of the signature.

    Args:
        function: What will be called with them; a class stands for its constructor.
        given: The keywords.
        what: What they are the options of, for the error: ``"chess"``.
        reserved: Parameters of the signature that are no options.

    Raises:
        OptionError: One is unknown, missing or wrong; the error lists the known ones.
    """
    model = _model(function, reserved)
    known = sorted(model.model_fields)
    try:
        options = model(**given)
    except ValidationError as error:
        problems = [_problem(detail, known) for detail in error.errors()]
        raise OptionError(
            f"Options of {what}: {'; '.join(problems)}. "
            f"{_listing(function, model) or 'It takes none.'}",
            options=sorted(given),
            known=known,
        ) from error
    return {name: getattr(options, name) for name in options.model_fields_set}


def _problem(detail: Any, known: list[str]) -> str:
    name = detail["loc"][0] if detail["loc"] else "?"
    if detail["type"] == "extra_forbidden":
        return f"{name!r} is unknown"
    if detail["type"] == "missing":
        return f"{name!r} must be given"
    return f"{name}={detail['input']!r}: {detail['msg']}"


def _listing(function: Callable[..., Any], model: type[BaseModel]) -> str:
    parameters = inspect.signature(function).parameters
    known = [str(parameters[name]) for name in model.model_fields]
    return f"It takes: {', '.join(known)}." if known else ""


@cache
def _model(function: Callable[..., Any], reserved: frozenset[str]) -> type[BaseModel]:
    hinted = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]  # its own signature, whatever it is
    hints = typing.get_type_hints(hinted, include_extras=True)
    fields: dict[str, Any] = {}
    extra: typing.Literal["allow", "forbid"] = "forbid"
    for name, parameter in inspect.signature(function).parameters.items():
        if name in reserved or name == "self":
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            default = ... if parameter.default is parameter.empty else parameter.default
            fields[name] = (hints.get(name, Any), default)
    config = ConfigDict(extra=extra, arbitrary_types_allowed=True, protected_namespaces=())
    return create_model("Options", __config__=config, **fields)
