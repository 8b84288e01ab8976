"""A container that belongs to one link, and is removed with it."""

from __future__ import annotations

import contextlib
import weakref
from typing import Any

from openenv_gym_transports.containers.container import Container


class OwnedContainer:
    """An OwnedServer: a container, removed at the latest when nobody has this object any more.

    Args:
        container: The container.

    Attributes:
        container: The container.
        isolation: What the engine said of it when it ran, not what was asked of it.
        kept: What is there as long as it is.
    """

    def __init__(self, container: Container) -> None:
        self.container = container
        self.isolation: dict[str, Any] = {"boundary": "container"}
        self.kept = contextlib.ExitStack()
        self._finalizer = weakref.finalize(self, _remove, container, self.kept)

    @property
    def log(self) -> list[str]:
        """Implements OwnedServer.log."""
        return self.container.log

    def dead(self) -> str | None:
        """Implements OwnedServer.dead."""
        return self.container.dead()

    def fate(self) -> str:
        """Implements OwnedServer.fate; it is of no use any more, and removed."""
        with self.kept:
            return self.container.epitaph()

    def kill(self) -> None:
        """Implements OwnedServer.kill."""
        self._finalizer()

    def stop(self, limit: float = 0.0) -> None:
        """Implements OwnedServer.stop: at once, since the session was closed."""
        self._finalizer()


def _remove(container: Container, kept: contextlib.ExitStack) -> None:
    with kept:
        container.remove()
