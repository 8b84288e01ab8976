"""What must be between an environment and the program that plays it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from openenv_gym.errors import IsolationError, OptionError

CONTAINER = "container"

_GUARANTEES: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    CONTAINER: lambda found: found.get("boundary") == CONTAINER and not found.get("privileged"),
    "network": lambda found: found.get("network") == "none",
    "read_only": lambda found: (
        bool(found.get("read_only")) and not any(m["writable"] for m in found.get("mounts", ()))
    ),
    "no_new_privileges": lambda found: bool(found.get("no_new_privileges")),
    "capabilities": lambda found: found.get("cap_drop") == ["ALL"] and not found.get("cap_add"),
    "user": lambda found: str(found.get("user", "")).partition(":")[0] not in ("", "0", "root"),
    "memory": lambda found: 0 < found.get("memory", 0) == found.get("memory_and_swap"),
    "pids": lambda found: (found.get("pids") or 0) > 0,
    "cpus": lambda found: found.get("cpus", 0) > 0,
    "seccomp": lambda found: "seccomp=unconfined" not in found.get("security_opt", ()),
}


def guarantees(required: str | Collection[str] | None) -> frozenset[str]:
    """Return the guarantees that ``require_isolation=`` names; of a container in any case.

    Args:
        required: ``"container"``, or the names of guarantees: ``network`` (there is none),
            ``read_only`` (its root and all mounts), ``no_new_privileges``, ``capabilities`` (none),
            ``user`` (not root), ``memory``, ``pids`` and ``cpus`` (a limit), ``seccomp`` (the
            engine's filter of system calls).

    Raises:
        OptionError: There is no such guarantee.
    """
    if required is None:
        return frozenset()
    names = {required} if isinstance(required, str) else {*required}
    unknown = sorted(names - _GUARANTEES.keys(), key=str)
    if unknown:
        raise OptionError(
            f"require_isolation= names {', '.join(map(repr, unknown))}. It may be one or more of "
            f"{', '.join(map(repr, _GUARANTEES))}.",
            require_isolation=sorted(map(str, names)),
        )
    return frozenset({CONTAINER, *names})


def check_isolation(required: frozenset[str], found: Mapping[str, Any], transport: str) -> None:
    """Check that an open session is isolated as is required.

    Args:
        required: Names of guarantees.
        found: The ``isolation`` that its link reports, of a container the engine's own words.
        transport: Name of the transport, for the error.

    Raises:
        IsolationError: One is missing.
    """
    missing = sorted(name for name in required if not _GUARANTEES[name](found))
    if missing:
        raise IsolationError(
            f"transport={transport!r} does not give what require_isolation= asks for: "
            f"{', '.join(missing)}. The environment was not made. Take transport='docker', without "
            "options or needs of the environment that relax it (``relaxed`` in its isolation).",
            missing=missing,
            isolation={**found},
        )
