"""The face for actors: a session whose requests come as calls, one at a time, with their bytes."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from openenv_gym.server.exchange import answer, session_for_owner
from openenv_gym.server.process import keep_freed_memory


class SessionActor:
    """A session for one owner, whoever carries the calls: Ray makes an actor of this class.

    Args:
        path: Where else to look for modules: the owner's places, after those of this process.
        core: The core that this process keeps to, if it is on the owner's machine; None: any.
        machine: Name of the owner's machine.
    """

    def __init__(self, path: Sequence[str], core: int | None, machine: str) -> None:
        sys.path.extend(place for place in path if place not in sys.path)
        if core is not None and machine == socket.gethostname():
            os.sched_setaffinity(0, {core})
        keep_freed_memory()
        self._session = session_for_owner()

    def whereabouts(self) -> dict[str, Any]:
        """Return the machine and the number of this process."""
        return {"machine": socket.gethostname(), "pid": os.getpid()}

    def exchange(self, data: bytes, parts: int = 1) -> bytes | list[bytes]:
        """Return the encoded reply to an encoded request, in so many parts; never raises."""
        reply = answer(self._session, data)
        if parts == 1:
            return reply
        size = -(-len(reply) // parts)
        return [reply[size * part : size * (part + 1)] for part in range(parts)]
