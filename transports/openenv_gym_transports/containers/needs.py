"""What an environment needs of its container beyond the strict default.

An environment says so in the section ``docker`` of its ``openenv.yaml``::

    docker:
      memory: 2g           # default 1g
      pids: 512            # default 256
      shm_size: 256m       # /dev/shm; the engine's default is 64m
      tmpfs:               # further places that can be written, and their sizes
        /tmp: 256m         # default 64m
      network: bridge      # default none
      seccomp: unconfined  # default: the engine's profile
      packages: [stockfish]  # of Debian, in the image; a base image for builds without a network
                             # must bring them

Browsers want more memory and another seccomp profile, for one; what was relaxed is seen in
``env.unwrapped.isolation``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from openenv_gym import registry
from openenv_gym.errors import OptionError

__all__ = ["Needs", "Size", "needs_of"]

SIZE = r"^[1-9]\d*[bkmg]?$"
Size = Annotated[str, msgspec.Meta(pattern=SIZE)]
Package = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9+.-]*$")]
Folder = Annotated[str, msgspec.Meta(pattern=r"^/[^:,\s]+$")]


class Needs(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True, frozen=True):
    """The section ``docker`` of an ``openenv.yaml``; None where the default will do.

    Attributes:
        memory: Limit of the memory.
        pids: Limit of the number of processes and threads.
        shm_size: Size of ``/dev/shm``.
        tmpfs: Sizes of folders that can be written, by path.
        network: The container's network.
        seccomp: ``"unconfined"`` switches off the filter of system calls.
        packages: Debian packages in the image, which some of the environment's options need.
    """

    memory: Size | None = None
    pids: Annotated[int, msgspec.Meta(ge=1)] | None = None
    shm_size: Size | None = None
    tmpfs: dict[Folder, Size] = {}
    network: Literal["none", "bridge"] = "none"
    seccomp: Literal["default", "unconfined"] = "default"
    packages: list[Package] = []

    def relaxations(self) -> dict[str, Any]:
        """Return what is asked for beyond the default, by name."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        found.pop("packages", None)
        return found


def needs_of(environment: str) -> Needs:
    """Return what the ``openenv.yaml`` of an environment asks for; the environment is not imported.

    Args:
        environment: Name of a bundled environment, or ``"module:Class"``.

    Raises:
        OptionError: The section has what is not known, or a wrong value.
        RegistryError: The file is not valid YAML.
        MissingDependencyError: There is a section, but no YAML parser to read it.
    """
    section, place = registry.container_needs(registry.environment(environment))
    try:
        return msgspec.convert(section, Needs)
    except msgspec.ValidationError as exc:
        raise OptionError(
            f"The section `docker` of {place} is wrong: {exc}. It may have "
            f"{', '.join(Needs.__struct_fields__)}.",
            path=place,
            known=list(Needs.__struct_fields__),
        ) from exc
