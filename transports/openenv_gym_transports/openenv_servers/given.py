"""Spaces that the caller gives, where a server does not tell enough."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from gymnasium.spaces import Dict, Space

from openenv_gym.errors import OptionError
from openenv_gym.spaces.describe import parse

Side = Literal["action", "observation"]

_HOW = (
    "A Space is given as JSON, which openenv_gym.spaces.describe.describe(space) makes: "
    '{"type": "Box", "low": -1, "high": 1, "shape": [3]}.'
)


class Given:
    """What ``action_space=``, ``observation_space=`` and ``spaces=`` say.

    Args:
        action_space: Description of the action space.
        observation_space: Description of the observation space.
        spaces: Descriptions by field: ``"board"``, of one in a nested model ``"point.x"``, and
            ``"action.x"`` where both models have an ``x``. None sends a field of the observation to
            ``info``, and leaves one of the action to the server's default.

    Raises:
        OptionError: One is no description.
        SpaceError: One describes no Space.
    """

    def __init__(
        self,
        action_space: Mapping[str, Any] | None = None,
        observation_space: Mapping[str, Any] | None = None,
        spaces: Mapping[str, Mapping[str, Any] | None] | None = None,
    ) -> None:
        self._wholes: dict[Side, Space[Any] | None] = {
            "action": _parsed("action_space", action_space),
            "observation": _parsed("observation_space", observation_space),
        }
        self._fields = {
            name: _parsed(f"spaces[{name!r}]", told) for name, told in (spaces or {}).items()
        }
        self._unused = set(self._fields)

    def __bool__(self) -> bool:
        return bool(self._fields) or any(space is not None for space in self._wholes.values())

    def whole(self, side: Side) -> Space[Any] | None:
        """The action or the observation space, where that is given."""
        return self._wholes[side]

    def fields(self, side: Side, names: Iterable[str] | None) -> dict[str, Space[Any] | None]:
        """What is given of the fields of one model, by their places: ``"action.x"``.

        Args:
            side: Of which.
            names: The model's fields; None where nobody tells them.
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
        """Checks that each was for a field that is there.

        Raises:
            OptionError: One was not.
        """
        if self._unused:
            raise OptionError(
                f"spaces= names {sorted(self._unused)}, which the server's environment does not "
                f"have. It has {', '.join(sorted(known))}.",
                fields=sorted(self._unused),
                known=sorted(known),
            )


def _parsed(name: str, told: Any) -> Space[Any] | None:
    if told is None:
        return None
    if not isinstance(told, Mapping):
        raise OptionError(f"{name}={told!r} is no description of a Space. {_HOW}")
    return parse(dict(told))
