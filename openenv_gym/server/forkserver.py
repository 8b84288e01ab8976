"""A process that has done the imports, and becomes one server after the other: a fork of it each.

A trainer starts one, and asks it for servers over a socket: a line of JSON, with descriptors where
a server is to be forked. This process runs no environment and has one thread. It holds what is left
of a fork that ended until the trainer asks for its exit code, so that its number names no other
process meanwhile. It ends with the trainer.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import select
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from openenv_gym.cli import main
from openenv_gym.server.process import set_owner

PRELOADED = (
    "openenv_gym.cli.serve",
    "openenv_gym.server.pipe",
    "openenv_gym.client",
    "openenv_gym.sessions.model_adapter",
)
"""Modules of ours that nearly every server needs, and what these import."""

_DESCRIPTORS = 5
_MOST = 1 << 16


def serve(control: socket.socket, trainer: int) -> tuple[Mapping[str, Any], list[int]] | None:
    """Fork a server at each request, until the trainer or its end of the socket is gone.

    Returns:
        In a fork: the request for it, and its descriptors. Else None.
    """
    parent = os.pidfd_open(trainer)
    unsafe = _unsafe()
    with control:
        poll = select.poll()
        poll.register(control, select.POLLIN)
        poll.register(parent, select.POLLIN)
        while parent not in [fd for fd, _ in poll.poll()]:
            request, fds = _receive(control)
            if request is None:
                break
            reply: dict[str, Any]
            if "collect" in request:
                reply = {"code": _collect(request["collect"])}
            elif unsafe is not None:
                reply = {"unsafe": unsafe}
            else:
                reply = {"pid": os.fork()}
                if not reply["pid"]:
                    os.close(parent)
                    return request, fds
            for fd in fds:
                os.close(fd)
            control.sendall(json.dumps(reply).encode() + b"\n")
    return None


def _unsafe() -> str | None:
    """Return why no fork can be made of this process; None where it can.

    Those who let forks be made, such as OpenBLAS, end their threads before one.
    """
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    native = len(os.listdir("/proc/self/task"))
    if max(native, threading.active_count()) == 1:
        return None
    return f"{native} threads run once Python, numpy, gymnasium and openenv_gym are imported"


def _receive(control: socket.socket) -> tuple[Mapping[str, Any] | None, list[int]]:
    data, fds, _, _ = socket.recv_fds(control, _MOST, _DESCRIPTORS)
    while data and not data.endswith(b"\n"):
        more = control.recv(_MOST)
        data = data + more if more else b""
    return json.loads(data) if data else None, fds


def _collect(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(request: Mapping[str, Any], fds: list[int], trainer: int) -> list[str]:
    """Make a fork what a process would be that the trainer had started; return its arguments."""
    os.setsid()
    folder, *streams, connection = fds
    os.fchdir(folder)
    for number, fd in enumerate(streams):
        os.dup2(fd, number)
    for fd in (folder, *streams):
        os.close(fd)
    os.environ.clear()
    os.environ.update(request["variables"])
    np.random.seed()  # else forks would play the same dice: Python's own it sees to itself
    set_owner(trainer)
    arguments = [*request["arguments"], f"--fd={connection}"]
    _set_title([sys.executable, "-m", "openenv_gym.cli", *arguments])
    return arguments


def _set_title(words: list[str]) -> None:
    """Show these as the command of this process, over its own, whose last word makes room."""
    with contextlib.suppress(OSError, ValueError, IndexError):  # only for people, and ps
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        begin, end = int(fields[45]), int(fields[46])
        if Path("/proc/self/cmdline").read_bytes().endswith(f"{sys.argv[-1]}\0".encode()):
            title = os.fsencode("\0".join(words))[: end - begin - 1]
            ctypes.memmove(begin, title.ljust(end - begin, b"\0"), end - begin)


def run() -> NoReturn:
    """Run this process, and each fork of it."""
    trainer = os.getppid()
    for module in PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # else the collector's marks copy the memory that forks share
    fork = serve(socket.socket(fileno=int(sys.argv[1])), trainer)
    sys.exit(0 if fork is None else main(_become(*fork, trainer)))


if __name__ == "__main__":
    run()
