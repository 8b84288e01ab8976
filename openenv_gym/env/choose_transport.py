"""Which transport the keywords of ``make`` mean."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Sequence
from typing import Any
from urllib.parse import urlsplit

from openenv_gym import registry
from openenv_gym.errors import OptionError, RegistryError, shown_url
from openenv_gym.transport import STEP_TIMEOUT, Transport
from openenv_gym.wire.isolation import check_isolation, guarantees

TRANSPORT_VARIABLE = "OPENENV_GYM_TRANSPORT"
"""Environment variable that names the transport where ``transport=`` is not given."""

_USUAL: dict[str, type | tuple[type, ...]] = {
    "url": (str, list, tuple),
    "image": str,
    "token": str,
    "timeout": (float, int),
    "start_timeout": (float, int),
}

_BY_SCHEME = {
    "ws": "websocket",
    "wss": "websocket",
    "http": "http",
    "https": "http",
    "unix": "process",
    "hf": "websocket",
}


def choose_transport(
    transport: str | Transport | None,
    settings: dict[str, Any],
    transport_options: dict[str, Any],
) -> Transport:
    """Return the transport that the keywords of ``make`` mean.

    Args:
        transport: A name, or an object; by default the variable, or the scheme of the URL, says it.
        settings: Keywords that all transports may have; None where one is not given.
        transport_options: Its further keywords.

    Raises:
        RegistryError: There is no transport of that name.
        OptionError: A keyword is not one of the transport, or its value is wrong.
    """
    unset = {**dict.fromkeys(settings), "timeout": STEP_TIMEOUT}
    given = {name: value for name, value in settings.items() if value != unset[name]}
    if isinstance(transport, Transport):
        if given or transport_options:
            raise OptionError(
                f"transport= is an object; {', '.join(f'{name}=' for name in settings)} and "
                "transport_options= belong in its constructor.",
                transport=transport.name,
            )
        return transport
    return _make_transport(transport, given.get("url"), {**given, **transport_options})


def _make_transport(
    name: str | None, url: str | Sequence[str] | None, keywords: dict[str, Any]
) -> Transport:
    first = url if isinstance(url, str) else next(iter(url or ()), "")
    try:
        scheme = urlsplit(first).scheme
    except ValueError as error:
        raise OptionError(
            f"url={shown_url(first)} is not an address ({error}): give one such as "
            "'ws://host:8000'.",
        ) from None
    if name is None and url and scheme not in _BY_SCHEME:
        raise OptionError(
            f"url={shown_url(first)} does not say how to get there: begin it with "
            f"{', '.join(f'{known}://' for known in _BY_SCHEME)}, as in 'ws://host:8000'.",
        )
    chosen = name or _BY_SCHEME.get(scheme) or os.environ.get(TRANSPORT_VARIABLE) or "inprocess"
    cls = registry.load(registry.transport(chosen))
    if "require_isolation" in keywords and "require_isolation" not in _parameters(cls):
        check_isolation(guarantees(keywords["require_isolation"]), {}, chosen)
    if not _usual(cls, keywords):
        # Here, since it loads pydantic: a tenth of a second that most clients have no need of.
        from openenv_gym.options import checked

        keywords = checked(cls, keywords, f"the transport {chosen}")
    made = cls(**keywords)
    if not isinstance(made, Transport):
        raise RegistryError(
            f"The transport {chosen!r} makes a {type(made).__name__}, which is not a Transport: "
            "derive it from openenv_gym.Transport.",
            name=chosen,
        )
    return made


def _parameters(cls: Callable[..., Any]) -> Collection[str]:
    return inspect.signature(cls).parameters


def _usual(cls: Callable[..., Any], keywords: dict[str, Any]) -> bool:
    """There is nothing to check: plain settings, of their type, that the transport knows."""
    known = _parameters(cls)
    return all(
        name in known and isinstance(value, _USUAL.get(name, ()))
        for name, value in keywords.items()
    )
