"""Spaces that the caller gives, where a server does not say enough."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from gymnasium.spaces import Dict, Space

from openenv_gym.errors import OptionError
from openenv_gym.spaces.describe import parse
from openenv_gym.spaces.guesses import split_mode

Side = Literal["action", "observation"]

_HOW = (
    "Give a Space as JSON, which openenv_gym.spaces.describe.describe(space) makes: "
    '{"type": "Box", "low": -1, "high": 1, "shape": [3]}.'
)


class Given:
    """The Spaces in ``action_space=``, ``observation_space=`` and ``spaces=``.

    Args:
        action_space: Description of the action space.
        observation_space: Description of the observation space.
        spaces: Descriptions by field: ``"board"``, ``"point.x"`` for a field of a nested model, and
            ``"action.x"`` where both models have an ``x``. None sends a field of the observation to
            ``info``, and leaves a field of the action to the server's default. ``"*"`` says
            what becomes of fields without a Space: ``"auto"`` gives each a default, ``"strict"``
            is an error that lists them.

    Attributes:
        strict: Fields without a Space are an error.

    Raises:
        OptionError: A value is not a description.
        SpaceError: A description is not that of a valid Space.
    """

    def __init__(
        self,
        action_space: Mapping[str, Any] | None = None,
        observation_space: Mapping[str, Any] | None = None,
        spaces: Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._wholes: dict[Side, Space[Any] | None] = {
            "action": _parse("action_space", action_space),
            "observation": _parse("observation_space", observation_space),
        }
        spaces, self.strict = split_mode(spaces)
        self._fields = {name: _parse(f"spaces[{name!r}]", given) for name, given in spaces.items()}
        self._unused = set(self._fields)

    def __bool__(self) -> bool:
        return bool(self._fields) or any(space is not None for space in self._wholes.values())

    def whole(self, side: Side) -> Space[Any] | None:
        """Return the whole action or observation space, if the caller gave it."""
        return self._wholes[side]

    def fields(self, side: Side, names: Iterable[str] | None) -> dict[str, Space[Any] | None]:
        """Return the Spaces given for fields of one model, by their places: ``"action.x"``.

        Args:
            side: The model that has the fields.
            names: Names of the model's fields; None where they are unknown.
        """
        known = None if names is None else set(names)
        found: dict[str, Space[Any] | None] = {}
        for name, space in self._fields.items():
            first = re.split(r"[.\[(]", name)[0]
            rest = name[len(first) + 1 :]
            if space is None and rest and first not in ("action", "observation"):
                raise OptionError(
                    f"spaces={{{name!r}: None}}: only a whole field can be left out of a Space."
                )
            if first == side and rest and (known is None or first not in known):
                found[name] = space
            elif known is not None and first in known:
                found[f"{side}.{name}"] = space
            else:
                continue
            self._unused.discard(name)
        whole = self._wholes[side]
        if isinstance(whole, Dict) and (known is None or whole.spaces.keys() <= known):
            found |= {f"{side}.{name}": space for name, space in whole.spaces.items()}
        return found

    def check_used(self, known: Iterable[str]) -> None:
        """Check that all given Spaces are for existing fields.

        Raises:
            OptionError: A Space is for a field that does not exist.
        """
        if self._unused:
            raise OptionError(
                f"spaces= names {sorted(self._unused)}, which the server's environment does not "
                f"have. It has {', '.join(sorted(known))}.",
                fields=sorted(self._unused),
                known=sorted(known),
            )


def _parse(name: str, given: Any) -> Space[Any] | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise OptionError(f"{name}={given!r} does not describe a Space. {_HOW}")
    return parse(dict(given))
