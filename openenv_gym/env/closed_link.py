"""ClosedLink: what an environment has after close()."""

from __future__ import annotations

from typing import Any, NoReturn

from openenv_gym.errors import ClosedError
from openenv_gym.transport import Link
from openenv_gym.wire.messages import Request


class ClosedLink(Link):
    """What takes the place of a link that was closed: it refuses all requests.

    Args:
        link: What was closed; None if it could not be opened.
    """

    def __init__(self, link: Link | None = None) -> None:
        self._isolation: dict[str, Any] = {} if link is None else link.isolation
        self._space_sources = {} if link is None else link.space_sources
        if link is not None:
            self.description = link.description

    @property
    def isolation(self) -> dict[str, Any]:
        """What was between the environment and this process."""
        return self._isolation

    @property
    def space_sources(self) -> dict[str, str]:
        """Implements Link.space_sources."""
        return self._space_sources

    def step(self, action: Any) -> NoReturn:
        """Refuse."""
        raise ClosedError("The environment is closed: make a new one.")

    def exchange(self, request: Request) -> NoReturn:
        """Refuse."""
        raise ClosedError("The environment is closed: make a new one.")

    def check_copy(self) -> None:
        """Implements Link.check_copy: what is closed says so itself."""

    def send(self, request: Request) -> NoReturn:
        """Refuse."""
        raise ClosedError("The environment is closed: make a new one.")

    def receive(self, timeout: float | None) -> NoReturn:
        """Refuse."""
        raise ClosedError("The environment is closed: make a new one.")

    def close(self) -> None:
        """Implements Link.close."""
