"""Spaces of other makes, and the Spaces that take their places."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from gymnasium.spaces import (
    Box,
    Dict,
    Discrete,
    Graph,
    MultiBinary,
    MultiDiscrete,
    OneOf,
    Sequence,
    Space,
    Text,
    Tuple,
)

from openenv_gym.errors import SpaceError
from openenv_gym.spaces.nonempty import NonEmpty
from openenv_gym.spaces.numbers import Numbers
from openenv_gym.spaces.utf8 import Utf8

SpaceT = TypeVar("SpaceT", bound=Space[Any])

_KNOWN = (
    Box, Dict, Discrete, Graph, MultiBinary, MultiDiscrete, NonEmpty, Numbers, OneOf, Sequence,
    Text, Tuple, Utf8,
)  # fmt: skip

_MAKERS = ("gymnasium", __name__.partition(".")[0])
"""Packages whose Spaces need nothing in their places."""

_stand_ins: dict[type, Callable[[Any], Space[Any]]] = {}


def register_space(kind: type[SpaceT], stand_in: Callable[[SpaceT], Space[Any]]) -> None:
    """Name the Space that takes the place of one of another make, in all environments.

    Over every transport, in this process too, an environment has the Space that takes the place.
    Call it where the environment is made: best in the module of its class.

    Args:
        kind: Class of the Spaces, such as MiniGrid's ``MissionSpace``.
        stand_in: Returns for one of them a Space of gymnasium's or of this package that has all
            its values: ``lambda space: Utf8(1000)``.

    Raises:
        SpaceError: The class is not that of a Space, or is one that needs nothing in its place.
    """
    is_space = isinstance(kind, type) and issubclass(kind, Space)
    if not is_space or kind.__module__.partition(".")[0] in _MAKERS:
        raise SpaceError(
            f"register_space({kind!r}, ...): give a class of Spaces that is neither gymnasium's "
            "nor this package's."
        )
    _stand_ins[kind] = stand_in


def own_space(space: Space[Any]) -> Space[Any]:
    """Return a Space, or what was registered in its place, of which it is known what it has.

    Raises:
        SpaceError: It is of another make, and nothing was registered in its place.
    """
    kind = type(space)
    if kind in _KNOWN or not is_foreign(space):
        return space
    if kind not in _stand_ins:
        raise foreign_error({"": space})
    found = _stand_ins[kind](space)
    if not isinstance(found, Space) or is_foreign(found):
        raise SpaceError(
            f"register_space({kind.__qualname__}, ...) puts {found!r:.200} in the place of a "
            "Space: give one of gymnasium's or of this package."
        )
    return found


def is_foreign(space: Space[Any]) -> bool:
    """Return whether a Space is neither gymnasium's nor ours, and is more than such a one.

    A subclass that neither samples nor checks in its own way is what it derives from.
    """
    kind = type(space)
    if kind in _stand_ins:
        return True
    base = next((known for known in kind.__mro__ if known in _KNOWN), None)
    if base is None:
        return True
    if kind.__module__.startswith("openenv_gym."):
        return False
    return kind.sample is not base.sample or kind.contains is not base.contains


def replace_foreign(
    space: Space[Any], given: Mapping[str, Space[Any]], place: str
) -> tuple[Space[Any], dict[str, Space[Any]]]:
    """Return a Space with others in the places of those of another make.

    Args:
        space: The Space; Spaces in a Dict or Tuple are looked at too.
        given: Spaces by the names of their places: ``mission``, ``inner.mission``, or ``place``.
        place: Name of the whole.

    Returns:
        The Space, and those of the given ones that are in it.

    Raises:
        SpaceError: For one of another make none was given or registered.
    """
    foreign = dict(foreign_spaces(space))
    used = {name: given[name or place] for name in foreign if (name or place) in given}
    left = {
        name: sub
        for name, sub in foreign.items()
        if name not in used and type(sub) not in _stand_ins
    }
    if left:
        raise foreign_error({name or place: sub for name, sub in left.items()})
    own = {name: own_space(sub) for name, sub in foreign.items() if name not in used}
    return _replaced(space, {**own, **used}, ""), {
        name or place: space for name, space in used.items()
    }


def _replaced(space: Space[Any], others: Mapping[str, Space[Any]], place: str) -> Space[Any]:
    if place in others:
        return others[place]
    if type(space) is Dict and others:
        parts = [(k, _replaced(v, others, _join(place, k))) for k, v in space.spaces.items()]
        return Dict(parts)
    if type(space) is Tuple and others:
        return Tuple([_replaced(v, others, _join(place, i)) for i, v in enumerate(space.spaces)])
    return space


def foreign_spaces(space: Space[Any], place: str = "") -> Iterator[tuple[str, Space[Any]]]:
    """Yield the Spaces of another make in a Space, with the names of their places."""
    if type(space) is Dict:
        for name, sub in space.spaces.items():
            yield from foreign_spaces(sub, _join(place, name))
    elif type(space) is Tuple:
        for i, sub in enumerate(space.spaces):
            yield from foreign_spaces(sub, _join(place, i))
    elif is_foreign(space):
        yield place, space


def foreign_error(found: Mapping[str, Space[Any]]) -> SpaceError:
    """Return the error for Spaces of another make, by the names of their places."""
    shown = ", ".join(
        f"{place}{': ' if place else ''}{type(space).__module__}.{type(space).__qualname__}"
        for place, space in found.items()
    )
    place, space = next(iter(found.items()))
    kind = type(space).__qualname__
    own = next((known.__name__ for known in type(space).__mro__ if known in _KNOWN), "")
    reason = f", which samples or checks other values than {own}" if own else ""
    instead = f"{own}(...)" if own else "openenv_gym.Utf8(1000)"
    here = f"make(..., spaces={{{place!r}: {instead}}}), or " if place else ""
    return SpaceError(
        f"There is a Space of another make ({shown}){reason}: nobody else could know what it has. "
        f"Say which Space takes its place, and has all its values: {here}in the module of the "
        f"environment openenv_gym.register_space({kind}, lambda space: {instead}).",
        space=repr(space),
        places=[*found],
    )


def _join(place: str, name: object) -> str:
    return f"{place}.{name}" if place else str(name)
