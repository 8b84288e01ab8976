"""Options: keywords checked against the typed signature that takes them, before it is called."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from openenv_gym.errors import OptionError
from openenv_gym.models import OwnerOnly
from openenv_gym.spaces.convert import strip


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
            f"Options of {what}: {'; '.join(problems)}. {_listing(model)}",
            options=sorted(given),
            known=known,
        ) from error
    return {name: getattr(options, name) for name in options.model_fields_set}


def check_allowed(
    function: Callable[..., Any], given: Mapping[str, Any], fixed: Mapping[str, Any], what: str
) -> None:
    """Refuses options that are not for a client who is not the owner of the server.

    Args:
        function: What they are for.
        given: The client's options.
        fixed: Those that the owner has set.
        what: What they are the options of, for the error.

    Raises:
        OptionError: One is marked OwnerOnly, or set by the owner to another value.
    """
    for name, field in _model(function, frozenset()).model_fields.items():
        if name not in given:
            continue
        if name in fixed and fixed[name] != given[name]:
            reason = f"is set to {fixed[name]!r} by the owner of the server: leave it out"
        elif any(isinstance(mark, OwnerOnly) for mark in field.metadata):
            reason = (
                "is for the owner of the server alone, since it names something on its host; "
                f"there: openenv-gym serve --option {name}=..."
            )
        else:
            continue
        raise OptionError(f"Options of {what}: {name!r} {reason}.", option=name)


def _problem(detail: Any, known: list[str]) -> str:
    name = detail["loc"][0] if detail["loc"] else "?"
    if detail["type"] == "extra_forbidden":
        return f"{name!r} is unknown"
    if detail["type"] == "missing":
        return f"{name!r} must be given"
    return f"{name}={detail['input']!r}: {detail['msg']}"


def _listing(model: type[BaseModel]) -> str:
    known = []
    for name, field in model.model_fields.items():
        default = "" if field.is_required() else f" = {field.default!r}"
        known.append(f"{name}: {_told(field.annotation)}{default}")
    return f"It takes: {', '.join(known)}." if known else "It takes none."


def _told(annotation: Any) -> str:
    """A type as its author would write it, without its constraints."""
    annotation = strip(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(map(_told, typing.get_args(annotation)))
    if annotation is types.NoneType:
        return "None"
    return inspect.formatannotation(annotation).replace("typing.", "")


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
