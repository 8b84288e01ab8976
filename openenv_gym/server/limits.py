"""Limits of a server: numbers above 0, or none."""

from __future__ import annotations

from openenv_gym.errors import OptionError


def check_limit(name: str, limit: float | None, told: str) -> None:
    """Checks a limit; None is no limit at all.

    Args:
        name: Its name, for the error's fields.
        limit: The limit.
        told: It, as its giver wrote it.

    Raises:
        OptionError: It is none.
    """
    if limit is not None and not limit > 0:
        raise OptionError(f"{told} is no limit: give a number above 0.", name=name)
