"""The token of a server, as a header carries it."""

from __future__ import annotations

import re

from openenv_gym.errors import OptionError

_SENDABLE = re.compile(r"[\x21-\x7e]+")


def sendable_token(token: str, where: str) -> str:
    """Return a token without the white space around it, such as the line break of a file.

    Args:
        token: The token, which no error shows.
        where: How it was given, for errors: ``"token="``.

    Raises:
        OptionError: It is empty, or has a character that no header carries.
    """
    found = token.strip()
    if not found:
        raise OptionError(f"{where} is empty: put the token in it, or leave it out.", where=where)
    if not _SENDABLE.fullmatch(found):
        raise OptionError(
            f"{where} has a character that no HTTP header carries, such as a space, a line break "
            "or a letter with an accent. Take letters and digits: "
            "python -c 'import secrets; print(secrets.token_urlsafe())'",
            where=where,
        )
    return found
