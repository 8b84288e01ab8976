"""Of which type keywords of ``make`` and ``make_vec`` are, checked before anything is started."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from numbers import Integral
from typing import Any, NamedTuple

from gymnasium.spaces import Space

from openenv_gym.errors import OptionError, shown
from openenv_gym.transport import Transport


class _Kind(NamedTuple):
    types: tuple[type, ...]
    wanted: str
    is_shown: bool = True


_SPACE = _Kind((Space, Mapping), "a Space, or its description as a dict")

_KINDS: Mapping[str, _Kind] = {
    "render_mode": _Kind((str,), "a mode such as 'rgb_array', or None"),
    "transport": _Kind((str, Transport), "a name such as 'process', or a Transport object"),
    "url": _Kind(
        (str, list, tuple), "an address such as 'ws://host:8000', or a list", is_shown=False
    ),
    "image": _Kind((str,), "the name of an image"),
    "token": _Kind((str,), "the token as a text", is_shown=False),
    "require_isolation": _Kind((str, Collection), "'container', or a set of guarantees"),
    "timing": _Kind((bool,), "True or False"),
    "transport_options": _Kind((Mapping,), "a dict of the transport's keywords", is_shown=False),
    "options": _Kind((Mapping,), "a dict of the environment's options", is_shown=False),
    "action_space": _SPACE,
    "observation_space": _SPACE,
    "spaces": _Kind((str, Mapping), "a dict of Spaces by field, 'auto' or 'strict'"),
    "copy": _Kind((bool,), "True or False"),
    "lane_options": _Kind((list, tuple), "a list with a dict for each lane", is_shown=False),
}
_ANY = -(1 << 62)  # too few are refused where what they count is known
_BOUNDS: Mapping[str, tuple[int, int]] = {
    "num_envs": (_ANY, 1 << 20),
    "workers": (_ANY, 1 << 20),
    "max_episode_steps": (1, 1 << 62),
    "max_restarts": (0, 1 << 62),
}
_TEXTS = frozenset({"options", "transport_options", "url", "require_isolation"})  # each item is one


def check_keywords(keywords: Mapping[str, Any]) -> None:
    """Check the types of keywords by name; None is one that was not given.

    Raises:
        OptionError: One has another type, or is a number out of its bounds.
    """
    for name, value in keywords.items():
        if name in _BOUNDS:
            if value is not None or name != "max_episode_steps":
                _check_number(name, value, *_BOUNDS[name])
            continue
        if value is None:
            continue
        kind = _KINDS[name]
        fits = isinstance(value, kind.types)
        if fits and name in _TEXTS and not isinstance(value, str):
            fits = _are_texts(value)
        elif fits and name == "lane_options":
            fits = all(isinstance(one, Mapping) and _are_texts(one) for one in value)
        if not fits:
            found = shown(value) if kind.is_shown else f"of the type {type(value).__name__}"
            raise OptionError(f"{name}= is {found}: give {kind.wanted}.", option=name)


def check_reset_options(options: Any) -> None:
    """Check the options of a reset: over a wire they would be an error of the codec.

    Raises:
        OptionError: They are not a dict with names as its keys.
    """
    if options is None or (isinstance(options, dict) and _are_texts(options)):
        return
    found = "a dict whose keys are not all texts"
    if not isinstance(options, dict):
        found = f"of the type {type(options).__name__}"
    raise OptionError(
        f"options= of reset() is {found}: give a dict from names to values, or None.",
        option="options",
    )


def _are_texts(values: Iterable[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


def _check_number(name: str, value: Any, least: int, most: int) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not whole or not least <= int(value) <= most:
        raise OptionError(
            f"{name}={shown(value)}: give a whole number from {max(least, 0)} to {most}.",
            option=name,
        )
