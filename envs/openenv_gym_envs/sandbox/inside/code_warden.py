"""Starts, watches and ends the worker of each episode, inside the sandbox.

It never runs code of the agent: what it says (whether the code parses, how the worker ended) can be
relied on. A worker cannot reach it: it is one process without a network, whose signals and other
calls to processes are refused.

    python -m openenv_gym_envs.sandbox.inside.code_warden
"""

from __future__ import annotations

import ast
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from typing import Any

from openenv_gym_envs.sandbox.inside import confine, frames, seccomp
from openenv_gym_envs.sandbox.inside.capture import Capture, cut
from openenv_gym_envs.sandbox.inside.code_worker import NUMBER, REPLY, Limits, work

_LONGEST_REQUEST = 1 << 24
_LONGEST_LINE = 500  # of code, in an error
_EXIT_SECONDS = 0.2  # between the end of a connection and that of its process


class Worker:
    """The worker of one episode.

    Args:
        limits: Its limits.
        allowed: The system calls that it has.
        output: Most characters of each of its outputs.
        seed: Of its randomness.
    """

    def __init__(self, limits: Limits, allowed: seccomp.Filter, output: int, seed: int) -> None:
        self.captures = Capture(output), Capture(output)
        self.channel, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                work(theirs, self.captures, limits, allowed, seed)
            finally:
                os._exit(1)
        theirs.close()

    def run(self, number: int, code: str, deadline: float, owner: socket.socket) -> dict[str, Any]:
        """Run one step; return how that went, and whether there is still a worker after it.

        Args:
            number: Of the step.
            code: What to run.
            deadline: When to end the worker, by ``time.monotonic``.
            owner: Descriptor that hangs up when nobody waits for the outcome any more.
        """
        os.kill(self.pid, signal.SIGCONT)
        try:
            frames.send(self.channel, NUMBER.pack(number) + code.encode(), deadline)
            self._wait(deadline, owner)
            reply = frames.receive(self.channel, REPLY.size, deadline)
            if len(reply) != REPLY.size:
                return self._end("broken", 0)
            answered, status = REPLY.unpack(reply)
            if answered != number or self._speaks():
                return self._end("broken", 0)
        except TimeoutError:
            return self._end("timeout", 0)
        except frames.FrameError:
            return self._gone()
        # Threads that the code left behind get no time between the steps.
        os.kill(self.pid, signal.SIGSTOP)
        return {"fate": "answered", "status": status}

    def _wait(self, deadline: float, owner: socket.socket) -> None:
        poll = select.poll()
        poll.register(self.channel, select.POLLIN)
        poll.register(owner, 0)  # its end is reported in any case
        ready = poll.poll(max(deadline - time.monotonic(), 0) * 1000)
        if any(fd == owner.fileno() for fd, _ in ready):
            raise frames.FrameError("There is no owner any more.")
        if not ready:
            raise TimeoutError

    def _speaks(self) -> bool:
        """There is more than the answer: something in there pretends to be the worker."""
        return bool(select.select([self.channel], [], [], 0)[0])

    def _gone(self) -> dict[str, Any]:
        """What became of a worker whose connection ended."""
        deadline = time.monotonic() + _EXIT_SECONDS
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                if os.WIFSIGNALED(status):
                    return {"fate": "killed", "status": os.WTERMSIG(status)}
                return {"fate": "exited", "status": os.WEXITSTATUS(status)}
            time.sleep(0.002)
        return self._end("broken", 0)

    def _end(self, fate: str, status: int) -> dict[str, Any]:
        self.kill()
        return {"fate": fate, "status": status}

    def kill(self) -> None:
        """Ends the process, if it has not ended yet."""
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0

    def close(self) -> None:
        """Ends it, and lets go of what was shared with it."""
        self.kill()
        self.channel.close()
        for capture in self.captures:
            capture.close()


class Warden:
    """Carries out what the owner of the sandbox asks.

    Args:
        owner: The channel to it.
        setting: ``memory``, ``cpu``, ``count_threads``, ``keeps_files``, ``output`` and
            ``packages``.
    """

    def __init__(self, owner: socket.socket, setting: dict[str, Any]) -> None:
        self._owner = owner
        self._output: int = setting["output"]
        self._limits = Limits(setting["memory"], setting["cpu"], setting["count_threads"])
        self._allowed = seccomp.for_code(
            setting["keeps_files"]
        )  # once: each worker completes its own copy
        sys.path[:] = [*sys.path[1:], *setting["packages"]]  # without our own programs
        if setting["packages"]:
            importlib.import_module("numpy")  # once, not in each episode
        gc.freeze()
        self._worker: Worker | None = None
        self._seed = 0

    def serve(self) -> None:
        """Answers, for as long as there is an owner."""
        try:
            while True:
                request = json.loads(frames.receive(self._owner, _LONGEST_REQUEST))
                reply = self._begin(request) if "seed" in request else self._step(request)
                frames.send(self._owner, json.dumps(reply).encode())
        except frames.FrameError:
            self._close()

    def _begin(self, request: dict[str, Any]) -> dict[str, Any]:
        """A new episode: another worker."""
        self._close()
        self._seed = request["seed"]
        self._worker = Worker(self._limits, self._allowed, self._output, self._seed)
        return {}

    def _step(self, request: dict[str, Any]) -> dict[str, Any]:
        code, number, seconds = request["code"], request["number"], request["seconds"]
        problem = _syntax_problem(code, f"<step {number}>", seconds)
        if problem is not None:
            reported = cut(problem[0], self._output)
            return _reply("answered", 1, stderr=reported, syntax_error=problem[1])
        if self._worker is None:
            self._worker = Worker(self._limits, self._allowed, self._output, self._seed)
        worker = self._worker
        outcome = worker.run(number, code, time.monotonic() + seconds, self._owner)
        stdout, stderr = (capture.read() for capture in worker.captures)
        if not worker.pid:
            self._close()
        return _reply(**outcome, stdout=stdout, stderr=stderr)

    def _close(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _reply(
    fate: str, status: int, stdout: str = "", stderr: str = "", syntax_error: bool = False
) -> dict[str, Any]:
    return {
        "fate": fate,
        "status": status,
        "stdout": stdout,
        "stderr": stderr,
        "syntax_error": syntax_error,
    }


def _syntax_problem(code: str, filename: str, seconds: float) -> tuple[str, bool] | None:
    """Why the code does not parse, and whether that is a SyntaxError; None if it does."""
    # Code can be such that parsing takes for ever, with no way to interrupt it but this.
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        ast.parse(code, filename)
    except (SyntaxError, ValueError) as error:  # Python 3.11.2 has another for null bytes
        if not isinstance(error, SyntaxError):
            error = SyntaxError(str(error))
        if error.text is not None and len(error.text) > _LONGEST_LINE:
            error.text = None  # it would hide what the error is
        return "".join(traceback.format_exception_only(error)), True
    except (MemoryError, RecursionError) as error:
        return f"{type(error).__name__}: the code is too deeply nested to be parsed\n", False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return None


def main() -> None:
    """Serves the owner of the sandbox."""
    owner, setting = confine.enter()
    warden = Warden(owner, setting)
    frames.send(owner, b"{}")
    warden.serve()


if __name__ == "__main__":
    main()
