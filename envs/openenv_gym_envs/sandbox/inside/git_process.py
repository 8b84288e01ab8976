"""One git command in a process group of its own, bounded in time and output."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

from openenv_gym_envs.sandbox.inside import frames, system

GIT = "/usr/bin/git"
"""The program."""

# In the scope of the command line, which is above what the repository itself says: git runs no
# program for it, and does nothing behind our back.
_CONFIG = {
    "advice.detachedHead": "false",
    "checkout.workers": "1",
    "commit.gpgSign": "false",
    "core.abbrev": "7",
    "core.attributesFile": "/dev/null",
    "core.editor": ":",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.pager": "cat",
    "core.sshCommand": "false",
    "credential.helper": "",
    "fastimport.unpackLimit": "0",
    "fetch.parallel": "1",
    "gc.auto": "0",
    "gpg.program": "false",
    "http.emptyAuth": "false",
    "http.followRedirects": "false",
    "http.postBuffer": str(16 << 20),
    "http.receivepack": "true",
    "index.threads": "1",
    "init.defaultBranch": "main",
    "init.templateDir": "",
    "maintenance.auto": "false",
    "pack.threads": "1",
    "protocol.version": "2",
    "safe.bareRepository": "explicit",
    "sequence.editor": ":",
    "submodule.recurse": "false",
    "tag.gpgSign": "false",
}
_ENVIRONMENT = {
    "GIT_ALLOW_PROTOCOL": "http",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": str(len(_CONFIG)),
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_EDITOR": ":",
    "GIT_MERGE_AUTOEDIT": "no",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_PAGER": "cat",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/",
    "LC_ALL": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "TZ": "UTC",
    **{f"GIT_CONFIG_KEY_{number}": key for number, key in enumerate(_CONFIG)},
    **{f"GIT_CONFIG_VALUE_{number}": value for number, value in enumerate(_CONFIG.values())},
}


class Finished(NamedTuple):
    """How a command ended.

    Attributes:
        fate: ``"exited"``, ``"killed"`` or ``"timeout"``.
        status: Its exit status, or the signal that killed it.
        stdout: What it wrote, up to a limit.
        stderr: The same.
    """

    fate: str
    status: int
    stdout: bytes
    stderr: bytes


class Watched(NamedTuple):
    """What else is looked at while a command runs.

    Attributes:
        owner: Its end is the end of the command.
        listener: Where the command's requests come in.
        answer: Takes one of these.
    """

    owner: socket.socket
    listener: socket.socket
    answer: Callable[[float], None]


def run(
    arguments: list[str],
    folder: str,
    stdin: bytes,
    environment: Mapping[str, str],
    deadline: float,
    longest: int,
    watched: Watched | None = None,
    allowed: bytes | None = None,
) -> Finished:
    """Runs git, with what this process may do and no more.

    Args:
        arguments: Behind ``git``.
        folder: Where.
        stdin: Its standard input.
        environment: Beside what is the same for all commands.
        deadline: When to kill it, by ``time.monotonic``.
        longest: The most bytes that are kept of each output.
        watched: What else is looked at.
        allowed: The filter of its system calls, where it has fewer than this process.

    Raises:
        FrameError: There is no owner any more.
    """
    outputs = [os.memfd_create(name) for name in ("stdin", "stdout", "stderr")]
    try:
        os.write(outputs[0], stdin)
        os.lseek(outputs[0], 0, os.SEEK_SET)
        process = subprocess.Popen(
            [GIT, *arguments],
            stdin=outputs[0],
            stdout=outputs[1],
            stderr=outputs[2],
            cwd=folder,
            env={**_ENVIRONMENT, **environment},
            process_group=0,
            preexec_fn=None if allowed is None else partial(system.load_filter, allowed),
        )
        try:
            fate = _wait(process, deadline, watched)
        finally:
            # What it has left behind is of its group, unless it is hostile: see git_warden.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
        if fate == "exited" and status < 0:
            fate = "killed"
        return Finished(fate, abs(status), *(os.pread(fd, longest, 0) for fd in outputs[1:]))
    finally:
        for fd in outputs:
            os.close(fd)


def _wait(process: subprocess.Popen[bytes], deadline: float, watched: Watched | None) -> str:
    ended = os.pidfd_open(process.pid)
    try:
        poll = select.poll()
        poll.register(ended, select.POLLIN)
        if watched is not None:
            poll.register(watched.owner, 0)  # its end is reported in any case
            poll.register(watched.listener, select.POLLIN)
        while True:
            left = deadline - time.monotonic()
            ready = {fd for fd, _ in poll.poll(max(left, 0) * 1000)}
            if not ready:
                return "timeout"
            if ended in ready:
                return "exited"
            assert watched is not None
            if watched.owner.fileno() in ready:
                raise frames.FrameError("There is no owner any more.")
            watched.answer(deadline)
    finally:
        os.close(ended)
