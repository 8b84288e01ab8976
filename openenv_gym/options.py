"""Options: keywords checked against the typed signature that takes them, before it is called."""

from __future__ import annotations

import contextlib
import inspect
import re
import sys
import types
import typing
from collections.abc import Callable, Collection, Mapping
from functools import cache
from typing import Any, NamedTuple, NotRequired, Required

from pydantic import ConfigDict, TypeAdapter, ValidationError
from typing_extensions import TypedDict  # pydantic takes typing's own from 3.12 on

from openenv_gym.errors import OptionError, UnknownOptionError, did_you_mean, shown
from openenv_gym.models import ClientOption
from openenv_gym.spaces.convert import strip

_SECRET = re.compile("token|secret|password|api_?key", re.IGNORECASE)
"""Names of options whose values no error shows."""

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
        secret: Collection[str] = getattr(function, "secrets", ())
        problems = [_problem(detail, secret) for detail in details]
        unknown = [str(detail["loc"][0]) for detail in details if detail["type"] == _UNKNOWN]
        hint = did_you_mean(unknown[0], known) if unknown else ""
        raise (UnknownOptionError if unknown else OptionError)(
            f"Options of {what}: {'; '.join(problems)}.{hint} {_listing(signature.parameters)}",
            options=sorted(given),
            known=known,
        ) from None  # pydantic's shows the values, secrets too


def options_schema(function: Callable[..., Any], *, reserved: frozenset[str]) -> dict[str, Any]:
    """Return the JSON schema of what :func:`checked` takes, as an object."""
    return _signature(function, reserved).options.json_schema()


def check_allowed(
    function: Callable[..., Any], given: Mapping[str, Any], fixed: Mapping[str, Any], what: str
) -> dict[str, Any]:
    """Refuses options that a client who is not the owner of the server may not set.

    An option is closed unless it is marked with ``ClientOption``. A value that changes nothing is
    let through: the one that the owner has set, or the default.

    Args:
        function: What they are for.
        given: The client's options.
        fixed: Those that the owner has set.
        what: What they are the options of, for the error.

    Returns:
        The client's options, without those that change nothing.

    Raises:
        OptionError: One is closed, outside of its bounds, or set by the owner to another value.
    """
    signature = _signature(function, frozenset())
    allowed: dict[str, Any] = {}
    for name, value in given.items():
        parameter = signature.parameters.get(name)
        if parameter is None and not signature.takes_any:
            allowed[name] = value  # the error for an unknown option says more
            continue
        default = inspect.Parameter.empty if parameter is None else parameter.default
        if _is_same(fixed.get(name, default), value):
            continue
        mark = client_option(parameter)
        if mark is None:
            reason = (
                "is for the owner of the server alone, who sets it there: openenv-gym serve "
                f"--option {name}=... Leave it out"
            )
        elif name in fixed:
            reason = f"is set to {fixed[name]!r} by the owner of the server: leave it out"
        else:
            problem = _out_of_bounds(mark, value)
            if problem is None:
                allowed[name] = value
                continue
            reason = f"may not be {value!r:.200} for a client of this server: {problem}"
        raise OptionError(f"Options of {what}: {name!r} {reason}.", option=name)
    return allowed


def is_left_to_clients(function: Callable[..., Any], given: Mapping[str, Any]) -> bool:
    """Return whether an option that must be given is not, and clients may give it."""
    return any(
        parameter.default is parameter.empty and client_option(parameter) is not None
        for name, parameter in parameters_of(function).items()
        if name not in given
    )


def client_option(parameter: inspect.Parameter | None) -> ClientOption | None:
    """Return the mark of an option that clients may set; None for one that they may not."""
    marks = getattr(getattr(parameter, "annotation", None), "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, ClientOption)), None)


def parameters_of(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the options that a function or class takes, by name, with resolved annotations."""
    return _signature(function, frozenset()).parameters


def _is_same(ours: Any, value: Any) -> bool:
    """Whether the value is the one that holds anyway."""
    try:
        return type(ours) is type(value) and bool(ours == value)
    except Exception:  # arrays, and what else may be in a list
        return False


def _out_of_bounds(mark: ClientOption, value: Any) -> str | None:
    if mark.within is None:
        return None
    try:
        TypeAdapter(mark.within).validate_python(value)
    except ValidationError as error:
        problems = [detail["msg"] for detail in error.errors()[:3]]
        return "; ".join(problem.removeprefix("Value error, ") for problem in problems)
    return None


def unknown_option(name: str) -> str:
    """Return what is wrong with an option that is unknown.

    With Python's own phrase, by which TorchRL and others find out what they can leave out.
    """
    return f"{name!r} is unknown (an unexpected keyword argument {name!r})"


def _problem(detail: Any, secret: Collection[str]) -> str:
    name = detail["loc"][0] if detail["loc"] else "?"
    if detail["type"] == _UNKNOWN:
        return unknown_option(str(name))
    if detail["type"] == "missing":
        return f"{name!r} must be given"
    value = "..." if name in secret or _SECRET.search(str(name)) else shown(detail["input"])
    return f"{name}={value}: {detail['msg']}"


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
    takes_any: bool


@cache
def _signature(function: Callable[..., Any], reserved: frozenset[str]) -> _Signature:
    hinted: Any = function
    # A dataclass has its fields' annotations, each to be understood where its class is.
    if isinstance(function, type) and "__dataclass_fields__" not in vars(function):
        hinted = hinted.__init__
    hints = _hints(hinted)
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
    return _Signature(parameters, TypeAdapter(options), extra == "allow")


def _hints(hinted: Any) -> dict[str, Any]:
    """Return the annotations of a class or function; not those that only a type checker knows."""
    try:
        return typing.get_type_hints(hinted, include_extras=True)
    except NameError:
        pass
    found: dict[str, Any] = {}
    for owner in reversed(getattr(hinted, "__mro__", (hinted,))):
        names = vars(sys.modules[owner.__module__])
        for name, hint in inspect.get_annotations(owner).items():
            alone = types.SimpleNamespace(__annotations__={name: hint})
            with contextlib.suppress(NameError, TypeError):  # a ClassVar is not an option either
                found |= typing.get_type_hints(alone, names, include_extras=True)
    return found
