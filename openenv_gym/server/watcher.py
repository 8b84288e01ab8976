"""A small process that ends a server whose owner is gone, whatever the server is doing.

A step may hold the interpreter lock forever, and then no thread and no signal handler of the
server runs any more. The watcher is forked before there are threads, holds nothing but its own
sockets, and needs no lock of anybody's.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import time

GRACE = 6.0
"""Seconds that a server has to end by itself once its owner is gone."""

_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)

_control: socket.socket | None = None


def start_watcher() -> None:
    """Fork the watcher of this process, whose parent is its owner."""
    global _control
    if not hasattr(os, "fork"):
        return
    server, owner = os.getpid(), os.getppid()
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            ours.close()
            _watch(theirs, server, owner)
        finally:
            os._exit(0)
    theirs.close()
    _control = ours


def watch_owner(fd: int) -> None:
    """Have the watcher take the hang-up of a connection for the end of the owner."""
    if _control is not None:
        with contextlib.suppress(OSError):  # it is gone: somebody killed it
            socket.send_fds(_control, [b"\n"], [fd])


def _watch(control: socket.socket, server: int, owner: int) -> None:
    """Wait until the owner is gone, and end the server unless it ends by itself."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    parent = _let_go_of_the_rest(control, owner)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    if parent is not None:
        poll.register(parent, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd != control.fileno():
                if fd == parent:
                    # Its connections may live on in a fork of it, so the server has to be notified.
                    os.kill(server, signal.SIGTERM)
                _end(control, server)
                return
            data, fds, _, _ = socket.recv_fds(control, 1, 1)
            if not data:
                return  # the server has ended
            for connection in fds:
                poll.register(connection, _HANG_UP)


def _let_go_of_the_rest(control: socket.socket, owner: int) -> int | None:
    """Close what the server has open; return a file that can be read once the owner is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    parent = None
    with contextlib.suppress(OSError, AttributeError):  # gone already, or not on this system
        parent = os.pidfd_open(owner)
    keep = {0, 1, 2, control.fileno(), parent}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        if int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))
    return parent


def _end(control: socket.socket, server: int) -> None:
    """Kill the server's group after a while, unless the server ends before."""
    deadline = time.monotonic() + GRACE
    poll = select.poll()
    poll.register(control, select.POLLIN)
    while (left := deadline - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            data, fds, _, _ = socket.recv_fds(control, 1, 1)
            if not data:
                return
            for fd in fds:
                os.close(fd)
    with contextlib.suppress(OSError):
        if os.getpgid(server) == server:
            os.killpg(server, signal.SIGKILL)
        else:
            os.kill(server, signal.SIGKILL)
