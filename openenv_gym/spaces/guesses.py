"""What becomes of fields without bounds: the mode in ``spaces=``, and what is said of defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openenv_gym.errors import OptionError
from openenv_gym.spaces.describe import described

MODE = "*"
"""Key of ``spaces=`` that stands for all fields without a Space: ``"auto"`` or ``"strict"``."""

MODES = ("auto", "strict")


TOOLS = "tools"
"""Source of the observation's Spaces where actions call tools: they are the same for all tools."""

GUESSED = ("default", "probe")
"""Sources of Spaces that neither a schema nor the caller bounds."""


def is_guessed(sources: Mapping[str, str]) -> bool:
    """Return whether a Space is a guess, by where the bounds of each leaf came from."""
    return not set(GUESSED).isdisjoint(sources.values())


def requested_spaces(spaces: Any) -> dict[str, Any] | None:
    """Return the descriptions by field of what ``spaces=`` of ``make`` has; a mode under ``"*"``.

    Raises:
        OptionError: It is a text, but not a mode.
    """
    if isinstance(spaces, str):
        spaces = {MODE: spaces}
    if spaces is not None:
        split_mode(spaces)
    found: dict[str, Any] | None = described(spaces)
    return found


def split_mode(spaces: Mapping[str, Any] | None) -> tuple[dict[str, Any], bool]:
    """Return the Spaces by field, and whether fields without one are an error.

    Raises:
        OptionError: ``"*"`` is neither ``"auto"`` nor ``"strict"``.
    """
    fields = dict(spaces or {})
    mode = fields.pop(MODE, "auto")
    if mode not in MODES:
        raise OptionError(
            f"spaces={mode!r}: give 'auto', 'strict', or a dict of Spaces by field, in which "
            f"{MODE!r} is one of these for the other fields.",
            spaces=mode,
        )
    return fields, mode == "strict"


def guesses_text(sources: Mapping[str, str]) -> str:
    """Return what is to be said of the Spaces that are defaults or guesses; empty for none.

    Args:
        sources: Where the bounds of each leaf came from.
    """
    default, probe = (
        ", ".join(name for name, source in sources.items() if source == wanted)
        for wanted in ("default", "probe")
    )
    said = []
    if default:
        said.append(
            "The environment's models do not bound these fields, whose Spaces are defaults: "
            f"{default}."
        )
    if probe and "model" not in sources.values():
        said.append(f"These Spaces were seen in one observation, and widen if need be: {probe}.")
    if said and TOOLS in sources.values():
        said.append(
            'Actions call tools, which env.unwrapped.metadata["tools"] lists; their Spaces cannot '
            "be given."
        )
    elif said:
        said.append(
            'Give better ones in spaces=; spaces="strict" is an error that says what to write.'
        )
    return " ".join(said)
