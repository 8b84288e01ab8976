"""Spaces of Hugging Face as ``url="hf://owner/name"``: the hub is asked where one is served."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from openenv_gym.errors import AuthenticationError, ConnectError, OptionError, shown_url
from openenv_gym_transports.links.server import Server

_SCHEME = "hf://"
_SPACE = re.compile(r"hf://([\w.-]+/[\w.-]+)/?")
_HUB = "https://huggingface.co"  # unless the variable HF_ENDPOINT names another
_LIMIT = 20.0  # seconds
_LARGEST = 1 << 24
_ENDED = re.compile(r"PAUSED|STOPPED|DELETING|NO_APP_FILE|\w+_ERROR")


class Space(NamedTuple):
    """Where a Space is served.

    Attributes:
        url: ``https://owner-name.hf.space``.
        token: What its server is to be sent: the caller's own token, to a private Space alone,
            since whoever made a public one would read it. None: nothing.
    """

    url: str
    token: str | None


def is_space(url: str) -> bool:
    """Return whether an address is one of this kind."""
    return url.startswith(_SCHEME)


def check_space(url: str) -> str:
    """Return ``owner/name`` of an address.

    Raises:
        OptionError: It names no Space.
    """
    found = _SPACE.fullmatch(url)
    if found is None:
        raise OptionError(
            f"url={shown_url(url)} does not name a Space: write hf://owner/name; the token belongs "
            "in the variable HF_TOKEN.",
        )
    return found[1]


def find_space(url: str) -> Space:
    """Ask the hub where a Space is served.

    Args:
        url: ``hf://owner/name``.

    Raises:
        AuthenticationError: It is private, and the variable ``HF_TOKEN`` is not of one who may see
            it; or there is no such Space.
        ConnectError: The hub does not answer, or the Space is not running.
    """
    name = check_space(url)
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or _HUB
    token = os.environ.get("HF_TOKEN", "").strip() or None
    facts = _ask(f"{hub}/api/spaces/{name}", url, token)
    runtime = facts.get("runtime")
    stage = str(runtime.get("stage") if isinstance(runtime, dict) else None)
    host = facts.get("host")
    if _ENDED.fullmatch(stage) or not isinstance(host, str) or not host:
        raise ConnectError(
            f"The Space {url} is not running: the hub says that it is {stage}. {hub}/spaces/{name} "
            "shows why, and starts it.",
            url=url,
            stage=stage,
        )
    # No token in plain text, unless the hub itself is spoken with so.
    secret = urlsplit(host).scheme == "https" or urlsplit(hub).scheme == "http"
    return Space(host, token if facts.get("private") is True and secret else None)


def _ask(address: str, url: str, token: str | None) -> dict[str, Any]:
    """Return what the hub says of a Space."""
    from openenv_gym_transports.links.httpx_client import HttpClient  # most links do not need it

    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    client = HttpClient(Server(address, {}, None, _LIMIT))
    try:
        answer = client.request("GET", address, None, headers, limit=_LIMIT, largest=_LARGEST)
    except OSError as error:
        raise ConnectError(
            f"The hub, which is to say where {url} is served, does not answer at {address}: "
            f"{error}. The variable HF_ENDPOINT names another.",
            url=url,
        ) from error
    finally:
        client.close()
    if answer.status in (401, 403, 404):
        whose = "is not of one who may see it" if token else "is not set"
        raise AuthenticationError(
            f"The hub shows no Space {url}: there is none of that name, or it is private and the "
            f"variable HF_TOKEN {whose}.",
            url=url,
            status=answer.status,
        )
    facts = None
    with suppress(ValueError):
        facts = json.loads(bytes(answer.body))
    if answer.status != 200 or not isinstance(facts, dict):
        raise ConnectError(
            f"The hub does not say where {url} is served: {address} answers with HTTP "
            f"{answer.status}.",
            url=url,
            status=answer.status,
        )
    return facts
