"""The real openenv, in virtual environments of its own, which ``.ci/peers`` makes.

A test that needs one is marked ``requires_peers``. It runs a server of OpenEnv beside it, or has
functions called in a process where ``openenv`` can be imported::

    pytestmark = requires_peers

    def test_reset(peer: PeerPython) -> None:          # fixture of tests/openenv/conftest.py
        with peer_server("tests.openenv.environments:echo") as server:
            assert peer.call("tests.openenv.clients:first_observation", url=server.url) == {...}

Modules that import ``openenv`` are imported there only, never by pytest.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 120.0
"""Seconds that a peer's process may take to start: openenv imports 2,500 modules."""

requires_peers = pytest.mark.peers
"""Skips the test where the virtual environments are missing; OPENENV_GYM_REQUIRE_PEERS=1: fails."""


@dataclass(frozen=True)
class Peer:
    """A release of openenv that is installed in a virtual environment of its own.

    Attributes:
        release: Its name and version.
        folder: Of the virtual environment.
        marker: File in the folder that is there when the installation is complete.
    """

    release: str
    folder: Path
    marker: str

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def bin(self) -> Path:
        """Where its commands are, such as ``openenv``."""
        return self.folder / "bin"

    @property
    def is_there(self) -> bool:
        return (self.folder / self.marker).exists()


WITHOUT_GRADIO = Path(__file__).with_name("without_gradio")
OPENENV = Peer("openenv 0.10.0", ROOT / ".build" / "openenv-venv", ".with-openenv-gym")
"""The current protocol; openenv-gym is installed there too, from this checkout."""

LEGACY = Peer("openenv-core 0.1.1", ROOT / ".build" / "openenv-core-venv", ".openenv-core-0.1.1")
"""The legacy protocol: HTTP, one environment for all clients."""


def missing() -> str | None:
    """Why tests with peers cannot run; None if they can."""
    absent = [peer for peer in (OPENENV, LEGACY) if not peer.is_there]
    if not absent:
        return None
    listed = ", ".join(f"{peer.release} in {peer.folder}" for peer in absent)
    return f"not installed: {listed}; .ci/peers does it"


def peer_environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Environment variables of a peer's process: the tests can be imported there."""
    inherited = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    # All three source roots: what is installed there may be another copy of them.
    paths = (WITHOUT_GRADIO, ROOT, ROOT / "transports", ROOT / "envs")
    own = {"PYTHONPATH": os.pathsep.join(map(str, paths)), "HF_HUB_OFFLINE": "1"}
    return {**inherited, **own, **(variables or {})}


class PeerServer:
    """A server of OpenEnv in a process.

    Attributes:
        url: ``http://127.0.0.1:PORT``.
        port: The port.
        process: The process.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log
        self.url = self._wait_for_url()
        self.port = int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        """What it said so far."""
        return self._log.read_text()

    @property
    def ws_url(self) -> str:
        return self.url.replace("http", "ws", 1)

    def _wait_for_url(self) -> str:
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline and self.process.poll() is None:
            if found := re.search(r"running on (http://\S+)", self.log):
                return found[1]
            time.sleep(0.05)
        raise AssertionError(f"OpenEnv's server did not start:\n{self.log}")


@contextmanager
def peer_server(
    app: str, *, peer: Peer = OPENENV, port: int = 0, variables: Mapping[str, str] | None = None
) -> Iterator[PeerServer]:
    """Runs a server of OpenEnv while the block runs.

    Args:
        app: ``module:attribute`` of its ASGI application, as uvicorn takes it.
        peer: Where it runs.
        port: Where it listens; 0 for a free one.
        variables: Environment variables of its process.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="peer-")))
        log = folder / "log"
        process = subprocess.Popen(
            [peer.python, "-m", "uvicorn", app, "--port", str(port)]
            + ["--no-access-log", "--no-use-colors"],
            cwd=folder,
            env=peer_environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=stack.enter_context(log.open("wb")),
            stderr=subprocess.STDOUT,
        )
        stack.callback(end, process)
        yield PeerServer(process, log)


def end(process: subprocess.Popen[Any], limit: float = 15.0) -> None:
    """Ends a process, by force if it takes too long."""
    process.terminate()
    try:
        process.wait(limit)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class PeerError(AssertionError):
    """A function called in the peer's process raised.

    Attributes:
        kind: Name of the exception's class.
        message: What it says.
    """

    def __init__(self, kind: str, message: str, traceback: str) -> None:
        super().__init__(f"{kind}: {message}\n{traceback}")
        self.kind = kind
        self.message = message


class PeerPython:
    """A Python process of a peer that calls functions of modules that import ``openenv``.

    One process for many calls, since the import takes seconds. It starts with the first call.

    Args:
        peer: Where it runs.
    """

    def __init__(self, peer: Peer = OPENENV) -> None:
        self._peer = peer
        self._process: subprocess.Popen[str] | None = None

    def call(self, function: str, **keywords: Any) -> Any:
        """What a function returns; arguments and result travel as JSON.

        Args:
            function: ``module:function``; a coroutine function is awaited.
            **keywords: Its keywords.

        Raises:
            PeerError: It raised.
        """
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"function": function, "keywords": keywords}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise AssertionError("the peer's process died; it says why above")
        reply = json.loads(line)
        if "error" in reply:
            raise PeerError(**reply["error"])
        return reply["result"]

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self._peer.python, "-m", "tests.openenv.inside"],
            cwd=ROOT,
            env=peer_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process and close its pipes."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.close()  # at the end of its input it ends
        with suppress(subprocess.TimeoutExpired):
            process.wait(15.0)
        end(process)
        process.stdout.close()
