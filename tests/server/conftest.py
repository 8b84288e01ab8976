"""What tests of the pipe share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.pipes import Serve
from tests.servers import eventually
from tests.troubles import TROUBLE, nothing_left


@pytest.fixture
def no_leftovers() -> Iterator[None]:
    """Nothing is left after the test: no process, descriptor or thread."""
    with nothing_left():
        yield


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves in ``tmp_path`` by the command, in a process that is ended after the test."""
    servers = []

    def start(*arguments: str, environment: str = TROUBLE) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, "-m", "openenv_gym.cli", "serve", environment]
            + ["--pipe", str(tmp_path), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        servers.append(server)
        if "--port" not in arguments:
            eventually((tmp_path / "socket").exists)
        return server

    yield start
    for server in servers:
        server.terminate()
        server.wait(30.0)
        assert server.stderr is not None
        server.stderr.close()
