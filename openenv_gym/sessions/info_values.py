"""``make(..., info="drop")``: what becomes of infos whose values cannot travel."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from openenv_gym.errors import OptionError
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.changed_outcomes import ChangedOutcomes
from openenv_gym.wire.codec import encode_value
from openenv_gym.wire.messages import StepOutcome

INFO_OPTION = "info"
"""Name of the keyword of ``make``."""

MODES = ("strict", "drop", "text")

_LONGEST = 1000
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # it would differ between two seeded runs


def take_info_option(options: Mapping[str, Any], own: bool) -> tuple[str, dict[str, Any]]:
    """Return what is to become of values that cannot travel, and the options of the environment.

    Args:
        options: All options.
        own: The environment has an option of that name itself, which is left to it.

    Raises:
        OptionError: The value is not a mode.
    """
    rest = dict(options)
    if own or INFO_OPTION not in rest:
        return "strict", rest
    mode = rest.pop(INFO_OPTION)
    if mode not in MODES:
        raise OptionError(
            f"{INFO_OPTION}={mode!r:.200}: give one of {', '.join(map(repr, MODES))}, for values "
            "of info that cannot travel: an error, left out, or as text.",
            info=mode,
        )
    return mode, rest


class TravellingInfos(ChangedOutcomes):
    """An environment whose infos have only what can travel, over every transport alike.

    Args:
        adapter: The environment.
        text: Put a text in the place of what cannot; else it is left out.
    """

    def __init__(self, adapter: Adapter, *, text: bool) -> None:
        super().__init__(adapter)
        self._text = text

    def _change(self, outcome: StepOutcome) -> StepOutcome:
        """Implements ChangedOutcomes._change."""
        observation, reward, terminated, truncated, info = outcome
        if not _travels(info):
            info = self._travelling(info)
        return observation, reward, terminated, truncated, info

    def _travelling(self, values: Mapping[Any, Any]) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in values.items():
            name = key if _travels({key: None}) else str(key)
            if _travels(value):
                found[name] = value
            elif isinstance(value, dict):
                found[name] = self._travelling(value)
            elif self._text:
                found[name] = _ADDRESS.sub("", repr(value))[:_LONGEST]
        return found


def _travels(value: Any) -> bool:
    try:
        encode_value(value)
    except Exception:  # of the codec, of msgspec, or of a value that holds itself
        return False
    return True
