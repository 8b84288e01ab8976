"""The default executor: a worker in a sandbox."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Annotated, Literal

import msgspec
import numpy as np

from openenv_gym.errors import EnvironmentFailedError
from openenv_gym_envs.coding.executors import Executor, Outcome
from openenv_gym_envs.sandbox.boundary import View
from openenv_gym_envs.sandbox.process import Sandbox, SandboxLostError

_TIMED_OUT = 124  # as timeout(1) has it
_LOST = 137  # as of a process that was killed
_ENDS_IN = "the next step begins with an empty namespace"
# Beyond the limit of the step, which the warden keeps: for when the warden itself fails.
_GRACE_SECONDS = 5.0
_BEGIN_SECONDS = 30.0
# Of a character in JSON, and of all but the texts.
_LONGEST_CHARACTER, _LONGEST_REST = 12, 4096


class _Reply(msgspec.Struct):
    """What the warden reports of a step."""

    fate: Literal["answered", "timeout", "exited", "killed", "broken"]
    status: Annotated[int, msgspec.Meta(ge=0, le=255)]
    stdout: str
    stderr: str
    syntax_error: bool


class SandboxExecutor(Executor):
    """Runs code in a worker of its own for each episode, in a sandbox.

    Args:
        timeout_s: Seconds until a step is killed.
        memory_mb: Megabytes of address space.
        cpu_s: Seconds of CPU time of a worker.
        max_output: Most characters of each output.
        packages: Whether what is installed beside numpy can be imported.
    """

    def __init__(
        self, timeout_s: float, memory_mb: int, cpu_s: int, max_output: int, packages: bool
    ) -> None:
        self._timeout = timeout_s
        self._output = max_output
        self._longest = 2 * max_output * _LONGEST_CHARACTER + _LONGEST_REST
        installed = [os.path.dirname(np.__path__[0])] if packages else []
        self._view = View(read=tuple(installed))
        self._setting = {
            "memory": memory_mb << 20,
            "cpu": cpu_s,
            "output": max_output,
            "packages": installed,
        }
        self._seed = 0
        self._number = 0
        self._sandbox: Sandbox | None = self._start()

    def begin(self, seed: int) -> None:
        """Implements Executor.begin."""
        self._seed = seed
        self._number = 0
        if self._sandbox is not None:
            with contextlib.suppress(SandboxLostError):
                self._begin(self._sandbox)
                return
        self._begin_anew()

    def run(self, code: str) -> Outcome:
        """Implements Executor.run."""
        sandbox = self._sandbox or self._begin_anew()
        self._number += 1
        request = {"code": code, "number": self._number, "seconds": self._timeout}
        try:
            answer = sandbox.ask(request, self._longest, self._timeout + _GRACE_SECONDS)
            reply = msgspec.json.decode(answer, type=_Reply)
        except (SandboxLostError, msgspec.DecodeError):
            self.close()
            return self._with("", "", "the sandbox broke", _LOST)
        if reply.fate == "answered":
            return Outcome(reply.stdout, reply.stderr, reply.status, reply.syntax_error)
        fate, status = self._fate_of(reply)
        return self._with(reply.stdout, reply.stderr, fate, status)

    def close(self) -> None:
        """Implements Executor.close."""
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    def _start(self) -> Sandbox:
        return Sandbox("code_warden", self._setting, self._view)

    def _begin(self, sandbox: Sandbox) -> None:
        sandbox.ask({"seed": self._seed}, _LONGEST_REST, _BEGIN_SECONDS)

    def _begin_anew(self) -> Sandbox:
        """Another sandbox, where the last one broke."""
        self.close()
        sandbox = self._sandbox = self._start()
        try:
            self._begin(sandbox)
        except SandboxLostError as error:
            self._sandbox = None
            raise EnvironmentFailedError(
                f"The sandbox ended as it began: {error} The next reset() makes another.",
                reason=str(error),
            ) from error
        return sandbox

    def _fate_of(self, reply: _Reply) -> tuple[str, int]:
        """What became of the worker, and the exit code that says so."""
        if reply.fate == "timeout":
            return f"killed after {self._timeout:g} s", _TIMED_OUT
        if reply.fate == "exited":
            return f"it ended its process with status {reply.status}", reply.status
        if reply.fate == "killed":
            name = signal.Signals(reply.status).name
            return f"killed by {name}", 128 + reply.status
        return "it broke the connection to its process", 1

    def _with(self, stdout: str, stderr: str, fate: str, status: int) -> Outcome:
        note = f"[{fate}; {_ENDS_IN}]\n"
        return Outcome(stdout, stderr[: self._output - len(note)] + note, status)
