"""What a program does first in its sandbox: give up what it will not need."""

from __future__ import annotations

import json
import os
import resource
import socket
from collections.abc import Sequence
from typing import Any

from openenv_gym_envs.sandbox.inside import frames, landlock, system

_LONGEST_SETTING = 1 << 20
_FILES = 256  # open at the same time
_NOBODY = 65534


def enter(connect: Sequence[int] = ()) -> tuple[socket.socket, dict[str, Any]]:
    """Confines this process, as the first frame says.

    Args:
        connect: Ports of TCP that it and what it starts can connect to, where the network is not
            its own.

    Returns:
        The channel to the owner, and what the frame says for the program itself.
    """
    channel = _take_channel()
    reported = json.loads(frames.receive(channel, _LONGEST_SETTING))
    if reported["user"] is not None:
        _become(reported["user"])
    system.drop_capabilities()
    if reported["landlock"] is not None:
        landlock.restrict(**reported["landlock"], connect=connect)
    system.forbid_new_privileges()
    system.hide_memory()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_FILES, _FILES))
    os.chdir("/")
    os.dup2(1, 2)  # not before, since an error until here is written there
    program: dict[str, Any] = reported["program"]
    return channel, program


def limit(memory: int, processes: int | None, cpu: int | None) -> None:
    """Sets limits of this process and of each that it starts.

    Args:
        memory: Bytes of address space.
        processes: Processes and threads of this user; None where others of it are counted too.
        cpu: Seconds of CPU time.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    if processes is not None:
        resource.setrlimit(resource.RLIMIT_NPROC, (processes, processes))
    if cpu is not None:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))


def close_all_but(fd: int) -> None:
    """Closes all descriptors but this one and the first three."""
    os.closerange(3, fd)
    os.closerange(fd + 1, _FILES)


def _take_channel() -> socket.socket:
    """The channel, which came as standard input, on a descriptor that nothing else uses."""
    channel = socket.socket(fileno=os.dup(0))  # not inheritable
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1):
        os.dup2(null, fd)
    os.close(null)
    return channel


def _become(user: int) -> None:
    """Another user, of whom there is nothing on this host."""
    os.setgroups([])
    try:
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    except OSError:  # in a user namespace that has not so many
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
