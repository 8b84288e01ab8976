"""Files of the user's that a container may read."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openenv_gym.errors import OptionError

if TYPE_CHECKING:
    from docker.types import Mount

__all__ = ["binds", "checked", "user_mounts"]

# What images and the engine have there is not to be hidden.
TAKEN = frozenset(
    {"bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "libx32", "opt"}
    | {"proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"}
)
# Where the code of OpenEnv's own images is: in it there may be something, over it nothing.
APP = "/app"


def checked(mounts: Mapping[str, str | Path]) -> dict[str, str]:
    """What is asked for, with the full paths of what is on this host.

    Args:
        mounts: Paths on this host, of files or folders, by their paths in the container.

    Raises:
        OptionError: A path in the container is not absolute, or has what the image needs; or
            there is no such file or folder on this host.
    """
    found: dict[str, str] = {}
    for target, source in mounts.items():
        _check_target(target, mounts)
        found[target] = _source(source, mounts)
    for target in found:
        inside = [other for other in found if other.startswith(target + "/")]
        if inside:
            raise _wrong(mounts, f"{inside[0]!r} is in {target!r}, which cannot be written", target)
    return found


def _check_target(target: str, mounts: object) -> None:
    if not target.startswith("/"):
        raise _wrong(mounts, f"{target!r} is not an absolute path in the container", target)
    if "\0" in target or target != posixpath.normpath(target) or target.startswith("//"):
        raise _wrong(
            mounts,
            f"{target!r} is not written plainly, without '.', '..' or a '/' too many",
            target,
        )
    if target in ("/", APP) or target.split("/")[1] in TAKEN:
        raise _wrong(
            mounts,
            f"{target!r} is where the image has its own: take another, such as '/data/...'",
            target,
        )


def _source(source: str | Path, mounts: object) -> str:
    try:
        path = Path(source).expanduser().resolve()
        # No device or socket: what can be read only may still be talked to.
        usable = path.is_file() or path.is_dir()
    except (OSError, ValueError, RuntimeError) as error:
        raise _wrong(mounts, f"{source!r} is not a path on this host ({error})", source) from error
    if not usable:
        raise _wrong(mounts, f"{str(source)!r} is not a file or folder on this host", source)
    if path == path.parent:
        raise _wrong(mounts, f"{str(source)!r} is all of this host", source)
    return str(path)


def _wrong(mounts: object, what: str, path: object) -> OptionError:
    return OptionError(
        f"The option mounts={mounts!r} of transport='docker' is wrong: {what}. Give "
        "paths on this host by their paths in the container: "
        "{'/data/prices.csv': '/home/me/prices.csv'}",
        mounts=mounts,
        path=path,
    )


def binds(mounts: Mapping[str, str]) -> list[Mount]:
    """What is asked of the engine for them: to be read only."""
    from docker.types import Mount

    asked = [Mount(target, source, "bind", read_only=True) for target, source in mounts.items()]
    for mount in asked:
        # Older engines would let what is mounted within a folder be written.
        mount["BindOptions"] = {"NonRecursive": True}
    return asked


def user_mounts(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Paths on this host by those in the container, as the engine reports them.

    Args:
        attributes: What the engine says of the running container.
    """
    asked = {mount["Target"] for mount in attributes["HostConfig"].get("Mounts") or []}
    return {
        mount["Destination"]: mount["Source"]
        for mount in attributes["Mounts"]
        if mount["Type"] == "bind" and mount["Destination"] in asked
    }
