"""Clients of a pipe that a test serves, well-behaved and others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ServerFullError,
)
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.stream import Stream
from openenv_gym_transports.links.pipe import connect

Serve = Callable[..., subprocess.Popen[str]]


def make(directory: Path, **keywords: Any) -> OpenEnvGym:
    """The environment that is served there."""
    return OpenEnvGym(transport="process", url=f"unix://{directory}", **keywords)


def log_of(server: subprocess.Popen[str]) -> str:
    """Ends a server; what it said."""
    server.terminate()
    assert server.stderr is not None
    return server.stderr.read()


def opens(directory: Path) -> bool:
    """There is room for one more session."""
    try:
        make(directory).close()
    except ServerFullError:
        return False
    return True


def channel_to(directory: Path) -> Stream:
    """A connection that sends what the test says, no more."""
    return connect(directory / "socket", (directory / "key").read_bytes())


def asked(stream: Stream, message: Any) -> Any:
    """The reply to a message."""
    stream.send_bytes(encode(message))
    return decode(stream.recv_bytes())
