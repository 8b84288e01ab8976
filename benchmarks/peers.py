"""OpenEnv's own client and server, in a virtual environment of their own, measured beside ours.

That environment is made at first use, in ``.build/openenv-venv``: openenv brings more than two
hundred packages, none of which we depend on. Its client runs there too, as a process that is told
which block is next, so that the blocks alternate with ours.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from openenv_gym.cli.benchmark.measure import Candidate, UnavailableError
from openenv_gym.cli.benchmark.workloads import Workload

VERSION = "0.10.0"
HERE = Path(__file__).resolve().parent
VENV = HERE.parent / ".build" / "openenv-venv"
PYTHON = VENV / "bin" / "python"
_START_LIMIT = 120.0


@functools.cache
def install() -> None:
    """Makes the virtual environment, if it is not there.

    Raises:
        UnavailableError: It cannot be made, as without a network.
    """
    complete = VENV / f".openenv-{VERSION}"
    if complete.exists():
        return
    commands = (
        [sys.executable, "-m", "venv", "--clear", str(VENV)],
        [
            str(PYTHON),
            "-m",
            "pip",
            "install",
            "--quiet",
            f"openenv=={VERSION}",
            "uvicorn[standard]",
        ],
    )
    console = Console(stderr=True)
    with console.status(f"installing openenv {VERSION} into {VENV}, once: a minute or two"):
        for command in commands:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise UnavailableError(f"openenv {VERSION} cannot be installed: {reason}")
    complete.touch()


def values() -> dict[str, Any]:
    """What its environments return, by workload."""
    from openenv_gym_envs import noop

    return {
        "small": noop.SMALL.tolist(),
        "84x84x4": noop.STACK.ravel().tolist(),
        "210x160x3": noop.FRAME.ravel().tolist(),
        "text": noop.TEXT,
    }


@contextlib.contextmanager
def server(*, uvloop: bool) -> Iterator[str]:
    """Its server with all no-op workloads; gives the URL.

    Args:
        uvloop: With uvloop and httptools, which openenv does not install by itself.
    """
    install()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="openenv-bench-")))
        (folder / "values.json").write_text(json.dumps(values()))
        log = folder / "log"
        # A port, not an inherited socket: uvicorn takes that for a Unix socket, and its replies
        # then wait 40 ms for the acknowledgement of their heads.
        process = subprocess.Popen(
            [str(PYTHON), "-m", "uvicorn", "--app-dir", str(HERE), "openenv_server:app"]
            + ["--port", "0", "--no-access-log", "--no-use-colors"]
            + ["--loop", "uvloop" if uvloop else "asyncio"]
            + ["--http", "httptools" if uvloop else "h11"],
            env={**os.environ, "BENCH_VALUES": str(folder / "values.json")},
            stdout=stack.enter_context(log.open("w")),
            stderr=subprocess.STDOUT,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        yield _url(process, log)


def _url(process: subprocess.Popen[Any], log: Path) -> str:
    """Where the server says that it is."""
    deadline = time.monotonic() + _START_LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        found = re.search(r"running on (http://\S+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    lines = log.read_text().strip().splitlines() or ["it said nothing"]
    raise UnavailableError(f"openenv's server did not start: {lines[-1]}")


class Client:
    """Its client, in a process that is kept until the end.

    Args:
        url: Of its server.
    """

    def __init__(self, url: str) -> None:
        install()
        self._process = subprocess.Popen(
            [str(PYTHON), str(HERE / "openenv_client.py"), url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    def ask(self, **wanted: Any) -> dict[str, Any]:
        """Has something measured."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(wanted) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise UnavailableError("openenv's client died; it says why above")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()


@functools.cache
def _peer(uvloop: bool) -> Client:
    """Its server and its client, started at the first block and kept until the end."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return Client(stack.enter_context(server(uvloop=uvloop)))


class OpenEnv(Candidate):
    """A way to step an environment on OpenEnv's own server.

    Args:
        way: ``"sync"``, its synchronous client; or ``"http"``, its HTTP routes.
        workload: What is stepped.
        uvloop: The server has uvloop and httptools; else what ``pip install openenv`` gives it.
    """

    def __init__(self, way: str, workload: Workload, *, uvloop: bool = False) -> None:
        self.name = f"openenv {way}" + (" uvloop" if uvloop else "")
        self._way = way
        self._uvloop = uvloop
        self._workload = workload.name

    def start(self) -> None:
        """Implements Candidate.start."""
        self.block(1)

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block."""
        self.passes = 1 if self.pause else 2
        wanted = {"peer": self._way, "workload": self._workload, "pause": self.pause}
        found = _peer(self._uvloop).ask(**wanted, steps=steps)
        return np.array(found["times"], np.int64), found["seconds"]

    def close(self) -> None:
        """Implements Candidate.close; server and client are kept for the next workload."""


class Gather(Candidate):
    """Sessions of OpenEnv's asynchronous client, stepped together by ``asyncio.gather``.

    Args:
        workload: What is stepped.
        sessions: How many; a step is one of each.
    """

    name = "openenv gather"

    def __init__(self, workload: Workload, sessions: int) -> None:
        self._asked = {"peer": "gather", "workload": workload.name, "sessions": sessions}

    def start(self) -> None:
        """Implements Candidate.start."""
        self.block(1)

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block."""
        found = _peer(False).ask(**self._asked, steps=steps)
        return np.array(found["times"], np.int64), found["seconds"]

    def close(self) -> None:
        """Implements Candidate.close; server and client are kept for the next workload."""


def peers(workload: Workload) -> list[Candidate]:
    """OpenEnv's ways to step a workload that its server has."""
    if not workload.noop:
        return []
    return [
        OpenEnv("sync", workload),
        OpenEnv("sync", workload, uvloop=True),
        OpenEnv("http", workload),
    ]
