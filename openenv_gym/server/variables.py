"""Environment variables by which a server is set up, such as one in a container."""

from __future__ import annotations

import os
from typing import Any

from openenv_gym.cli.arguments import options_of
from openenv_gym.wire.names import TOKEN_VARIABLE

TOKEN = TOKEN_VARIABLE
"""The token."""

OPEN = "OPENENV_GYM_OPEN"
"""Set to 1, serves without a token whoever reaches the server, such as a Space's visitors."""

OPTION = "OPENENV_GYM_OPTION_"
"""What the names of variables begin with that set options: OPENENV_GYM_OPTION_GAME sets game."""

_PAGE = "ENABLE_WEB_INTERFACE"  # OpenEnv's word for the page
_SPACE_HOST = "SPACE_HOST"  # the name that Hugging Face gives a Space


def options() -> dict[str, Any]:
    """Return the options of the environment that variables set.

    Raises:
        OptionError: A variable names no option.
    """
    return options_of(
        [
            f"{name.removeprefix(OPTION).lower()}={value}"
            for name, value in sorted(os.environ.items())
            if name.startswith(OPTION) and name != OPTION
        ]
    )


def is_open() -> bool:
    """Return whether it was decided that a server without a token serves strangers."""
    return os.environ.get(OPEN) == "1"


def has_page() -> bool:
    """Return whether there is to be a page to play the environment by hand."""
    return os.environ.get(_PAGE, "").lower() in ("1", "true", "yes")


def host_names() -> list[str]:
    """Return the names by which a server without a token may be called: that of its Space."""
    return [name for name in (os.environ.get(_SPACE_HOST),) if name]


def settings() -> dict[str, Any]:
    """Return keywords of ``create_app``, so that another command line heeds the variables too."""
    return {
        "options": options(),
        "token": os.environ.get(TOKEN),
        "web": has_page(),
        "allow_hosts": host_names(),
    }
