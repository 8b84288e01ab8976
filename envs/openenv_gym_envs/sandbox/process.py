"""Sandbox: one of our programs in a sandbox, and the channel to it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import weakref
from collections.abc import Mapping
from typing import Any

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym_envs.sandbox.boundary import HOME, View, boundary, python
from openenv_gym_envs.sandbox.inside import frames

_START_SECONDS = 30.0
_END_SECONDS = 2.0
_LONGEST_GREETING = 1 << 16
_PROGRAMS = "openenv_gym_envs.sandbox.inside"
_ENVIRONMENT = {
    "HOME": "/",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "0",  # the same order of sets each time
    "TZ": "UTC",
    # Memory for one thread each: many would take more than the sandbox has.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
# Of all that could be killed for want of memory it is to be the first; its processes inherit that.
_FIRST_TO_GO = 'echo 1000 2>/dev/null >/proc/self/oom_score_adj; exec "$@"'


class SandboxLostError(Exception):
    """The program in the sandbox is gone, silent or out of order; the sandbox was ended."""


class Sandbox:
    """One of our programs in a sandbox.

    It ends at :meth:`close`; if that is forgotten, when this is collected or the interpreter exits;
    and when this process is killed, since the program then reads the end of its channel.

    Args:
        program: A module of ``openenv_gym_envs.sandbox.inside``.
        setting: What the program receives, beside ``count_threads``, ``keeps_files``,
            ``keeps_signals`` and ``workspace``.
        view: What it sees.

    Attributes:
        workspace: Its folder, as the program finds it.

    Raises:
        MissingDependencyError: Bubblewrap is not installed.
        EnvironmentFailedError: No sandbox can be made here, or none that keeps such a program; or
            the program did not start.
    """

    def __init__(self, program: str, setting: Mapping[str, Any], view: View | None = None) -> None:
        command = [python(), "-s", "-S", "-m", f"{_PROGRAMS}.{program}"]
        launch = boundary().launch(command, view or View())
        self.workspace = launch.workspace
        self._channel, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                ["/bin/sh", "-c", _FIRST_TO_GO, "sh", *launch.command],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env=_ENVIRONMENT,
                cwd=HOME,
                start_new_session=True,
            )
        self._finalizer = weakref.finalize(
            self, _end, process, self._channel, launch.temporary, os.getpid()
        )
        reported = {
            "user": launch.user,
            "landlock": launch.landlock,
            "program": {
                **setting,
                "count_threads": launch.counts,
                "keeps_files": launch.keeps_files,
                "keeps_signals": launch.keeps_signals,
                "workspace": launch.workspace,
            },
        }
        self._start(process, json.dumps(reported).encode())

    def _start(self, process: subprocess.Popen[bytes], setting: bytes) -> None:
        """Has the program confine itself; from its answer on it is ready."""
        assert process.stderr is not None
        deadline = time.monotonic() + _START_SECONDS
        try:
            frames.send(self._channel, setting, deadline)
            frames.receive(self._channel, _LONGEST_GREETING, deadline)
        except (frames.FrameError, TimeoutError) as error:
            _kill(process)
            reported = process.stderr.read().decode(errors="replace").strip()
            self.close()  # at once: later the number may be another process's
            raise EnvironmentFailedError(
                f"The sandbox did not start: {error} It said:\n{reported}", stderr=reported
            ) from error
        except BaseException:
            self.close()
            raise
        finally:
            process.stderr.close()

    def ask(self, request: Mapping[str, Any], longest: int, seconds: float) -> bytes:
        """One request, one answer.

        Args:
            request: What is asked.
            longest: The most bytes that the answer may have.
            seconds: How long to wait.

        Raises:
            SandboxLostError: No such answer came; the sandbox was ended.
        """
        deadline = time.monotonic() + seconds
        try:
            frames.send(self._channel, json.dumps(request).encode(), deadline)
            return frames.receive(self._channel, longest, deadline)
        except (frames.FrameError, TimeoutError, OSError) as error:
            self.close()
            raise SandboxLostError(str(error)) from error
        except BaseException:  # Ctrl-C, say: the answer would be taken for the next one
            self.close()
            raise

    @property
    def closed(self) -> bool:
        """It has ended."""
        return not self._finalizer.alive

    def close(self) -> None:
        """Ends all that runs in it; a second call does nothing."""
        self._finalizer()


def _end(
    process: subprocess.Popen[bytes], channel: socket.socket, folder: str | None, owner: int
) -> None:
    """Ends a sandbox. A fork of its owner leaves it alone."""
    if os.getpid() != owner:
        channel.close()
        return
    try:
        # The program ends what it has started, which may have a group of its own, and then itself.
        with contextlib.suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)
        channel.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
    finally:
        _kill(process)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # With bubblewrap that is the end of all that is in the sandbox.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
