"""Options: keywords checked against the typed signature that takes them, before it is called."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, NotRequired, Required

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes typing's own from 3.12 on

from openenv_gym.errors import OptionError, UnknownOptionError, did_you_mean
from openenv_gym.models import OwnerOnly
from openenv_gym.spaces.convert import strip

_UNKNOWN = "extra_forbidden"
"""What pydantic calls a keyword that there is not."""


def checked(
    function: Callable[..., Any],
    given: Mapping[str, Any],
    what: str,
    *,
    reserved: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Return the given keywords, validated and converted to the types of the signature.

    Args:
        function: What will be called with them; a class stands for its constructor.
        given: The keywords.
        what: What they are the options of, for the error: ``"chess"``.
        reserved: Parameters of the signature that are not options.

    Raises:
        OptionError: One is missing or wrong; the error lists the known ones.
        UnknownOptionError: One is unknown.
    """
    signature = _signature(function, reserved)
    known = sorted(signature.parameters)
    try:
        return signature.options.validate_python(dict(given))
    except ValidationError as error:
        details = error.errors()
        problems = [_problem(detail) for detail in details]
        unknown = [str(detail["loc"][0]) for detail in details if detail["type"] == _UNKNOWN]
        hint = did_you_mean(unknown[0], known) if unknown else ""
        raise (UnknownOptionError if unknown else OptionError)(
            f"Options of {what}: {'; '.join(problems)}.{hint} {_listing(signature.parameters)}",
            options=sorted(given),
            known=known,
        ) from error


def options_schema(function: Callable[..., Any], *, reserved: frozenset[str]) -> dict[str, Any]:
    """Return the JSON schema of what :func:`checked` takes, as an object."""
    return _signature(function, reserved).options.json_schema()


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
    parameters = _signature(function, frozenset()).parameters
    for name in given:
        annotation = parameters[name].annotation if name in parameters else Any
        if name in fixed and fixed[name] != given[name]:
            reason = f"is set to {fixed[name]!r} by the owner of the server: leave it out"
        elif any(isinstance(mark, OwnerOnly) for mark in getattr(annotation, "__metadata__", ())):
            reason = (
                "is for the owner of the server alone, since it names something on its host; "
                f"there: openenv-gym serve --option {name}=..."
            )
        else:
            continue
        raise OptionError(f"Options of {what}: {name!r} {reason}.", option=name)


def unknown_option(name: str) -> str:
    """Return what is wrong with an option that is unknown.

    With Python's own phrase, by which TorchRL and others find out what they can leave out.
    """
    return f"{name!r} is unknown (an unexpected keyword argument {name!r})"


def _problem(detail: Any) -> str:
    name = detail["loc"][0] if detail["loc"] else "?"
    if detail["type"] == _UNKNOWN:
        return unknown_option(str(name))
    if detail["type"] == "missing":
        return f"{name!r} must be given"
    return f"{name}={detail['input']!r}: {detail['msg']}"


def _listing(parameters: Mapping[str, inspect.Parameter]) -> str:
    known = []
    for name, parameter in parameters.items():
        default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
        known.append(f"{name}: {_type_text(parameter.annotation)}{default}")
    return f"It takes: {', '.join(known)}." if known else "It takes none."


class Option(NamedTuple):
    """An option, for readers.

    Attributes:
        name: Its name.
        type: Its type, as its author would write it.
        required: It has no default.
        default: Its default; None where it has none.
    """

    name: str
    type: str
    required: bool
    default: Any


def list_options(function: Callable[..., Any], *, reserved: frozenset[str]) -> list[Option]:
    """Return the options that a function or class takes; its ``reserved`` parameters are not."""
    return [
        Option(
            name,
            _type_text(parameter.annotation),
            parameter.default is parameter.empty,
            None if parameter.default is parameter.empty else parameter.default,
        )
        for name, parameter in _signature(function, reserved).parameters.items()
    ]


def _type_text(annotation: Any) -> str:
    """Return a type as its author would write it, without its constraints."""
    annotation = strip(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return " | ".join(map(_type_text, typing.get_args(annotation)))
    if annotation is types.NoneType:
        return "None"
    return inspect.formatannotation(annotation).replace("typing.", "")


class _Signature(NamedTuple):
    """What a signature takes, with the annotations resolved, and how that is validated."""

    parameters: dict[str, inspect.Parameter]
    options: TypeAdapter[dict[str, Any]]


@cache
def _signature(function: Callable[..., Any], reserved: frozenset[str]) -> _Signature:
    hinted: Any = function
    # A dataclass has its fields' annotations, each to be understood where its class is.
    if isinstance(function, type) and "__dataclass_fields__" not in vars(function):
        hinted = hinted.__init__
    try:
        hints = typing.get_type_hints(hinted, include_extras=True)
    except NameError:  # of names that only a type checker knows
        hints = {}
    parameters: dict[str, inspect.Parameter] = {}
    extra: typing.Literal["allow", "forbid"] = "forbid"
    for name, parameter in inspect.signature(function).parameters.items():
        if name in reserved or name == "self":
            continue
        if parameter.kind is parameter.VAR_KEYWORD:
            extra = "allow"
        elif parameter.kind is not parameter.VAR_POSITIONAL:
            parameters[name] = parameter.replace(annotation=hints.get(name, Any))
    # A model would have no fields of the names of its own attributes, such as "copy" and "json".
    kinds = {
        name: (Required if parameter.default is parameter.empty else NotRequired)[
            parameter.annotation
        ]
        for name, parameter in parameters.items()
    }
    make: Any = TypedDict  # for a type checker it takes literals only
    options = make("options", kinds)
    options.__pydantic_config__ = ConfigDict(extra=extra, arbitrary_types_allowed=True)
    return _Signature(parameters, TypeAdapter(options))
