"""The part of each environment's README that says what clients of a server may set.

``python -m tests.client_options`` writes it; a test compares.
"""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import Any

import annotated_types
from pydantic.fields import FieldInfo

import openenv_gym_envs
from openenv_gym import registry
from openenv_gym.models import ClientOption
from openenv_gym.options import client_option, parameters_of
from openenv_gym.registry.manifest import Entry

HEADING = "### What clients of a server may set"
_NAMES = {types.NoneType: "`None`", bool: "`True`, `False`"}


def readme(entry: Entry) -> Path:
    """Return the path of an environment's README."""
    package = entry.target.partition(":")[0].split(".")[1:-1]
    return Path(openenv_gym_envs.__file__).parent.joinpath(*package, "README.md")


def section(entry: Entry) -> str:
    """Return the part that belongs in an environment's README."""
    parameters = parameters_of(registry.load(entry))
    options = {name: one for name, one in parameters.items() if name != "render_mode"}
    marks = {name: client_option(one) for name, one in options.items()}
    closed = [f"`{name}`" for name, mark in marks.items() if mark is None]
    lines = [
        f"| `{name}` | {_bounds(_type(options[name].annotation, mark))} |"
        for name, mark in marks.items()
        if mark is not None
    ]
    text = "No option." if not lines else "\n".join(["| option | values |", "|---|---|", *lines])
    rest = f"\n\nOnly the owner of the server may set {', '.join(closed)}." if closed else ""
    return f"{HEADING}\n\n{text}{rest}\n"


def _type(annotation: Any, mark: ClientOption) -> Any:
    return annotation if mark.within is None else mark.within


def _bounds(annotation: Any) -> str:
    """Return the values of a type in words.

    Raises:
        AssertionError: It has no bound.
    """
    marks: list[Any] = []
    while typing.get_origin(annotation) is typing.Annotated:
        marks += annotation.__metadata__
        annotation = annotation.__origin__
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return ", ".join(f"`{value!r}`".replace("'", '"') for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(map(_bounds, arguments))
    if annotation in _NAMES:
        return _NAMES[annotation]
    limits = _limits(marks)
    note = "".join(f"; {mark.description}" for mark in marks if getattr(mark, "description", None))
    if annotation in (int, float):
        low = limits.get("ge", limits.get("gt"))
        high = limits.get("le", limits.get("lt"))
        assert low is not None, "no lower bound"
        assert high is not None, "no upper bound"
        above = "above " if "gt" in limits else ""
        return f"{above}{low:,} to {'below ' if 'lt' in limits else ''}{high:,}{note}"
    if origin is tuple and Ellipsis not in arguments:
        return f"({', '.join(map(_bounds, arguments))})"
    longest = limits.get("max_length")
    assert longest is not None, "no bound of the length"
    if origin in (list, tuple):
        return f"up to {longest:,} of: {_bounds(arguments[0])}{note}"
    assert annotation is str, annotation
    return f"up to {longest:,} characters{note}"


def _limits(marks: list[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mark in marks:
        for one in mark.metadata if isinstance(mark, FieldInfo) else [mark]:
            for name in ("ge", "gt", "le", "lt", "max_length"):
                if isinstance(one, annotated_types.BaseMetadata) and hasattr(one, name):
                    found[name] = getattr(one, name)
    return found


def main() -> None:
    """Write the part into each README: where it stands, else behind the options."""
    for entry in registry.ENVIRONMENTS.values():
        path = readme(entry)
        before, _, rest = path.read_text("utf-8").partition(HEADING)
        if not rest:
            head, options, after = before.partition("## Options\n")
            assert options, path
            body, _, rest = after.partition("\n## ")
            before = f"{head}{options}{body.rstrip()}\n\n"
            rest = f"\n## {rest}"
        rest = rest[rest.index("\n## ") :]
        path.write_text(f"{before}{section(entry)}{rest}", "utf-8")


if __name__ == "__main__":
    main()
