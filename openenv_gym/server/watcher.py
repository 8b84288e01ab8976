"""A small process that ends a server which is to end, whatever the server is doing.

A server is to end when its owner is gone, or when a signal says so. But a step may hold the
interpreter lock forever, and then no thread and no signal handler in Python runs any more. The
watcher is forked before there are threads, holds nothing but its own sockets, and needs no lock of
anybody's. It learns of a signal from the handler in C of Python's ``faulthandler``, which writes to
its socket.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import re
import select
import signal
import socket
import time

GRACE = 6.0
"""Seconds that a server has to end by itself, once its owner is gone or a signal came."""

_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)

_control: socket.socket | None = None
_pid = 0


def start_watcher(owner: int | None) -> None:
    """Fork the watcher of this process.

    Args:
        owner: The process that this one ends with; None where it has no owner.
    """
    global _control, _pid
    if not hasattr(os, "fork"):
        return
    server = os.getpid()
    ours, theirs = socket.socketpair()
    _pid = os.fork()
    if _pid == 0:
        try:
            ours.close()
            _Watcher(theirs, server, owner).run()
        finally:
            os._exit(0)
    theirs.close()
    _control = ours


def end_watcher() -> None:
    """End the watcher of a process that goes on without one; else it ends with the process."""
    global _control
    control, _control = _control, None
    if control is not None:
        control.close()
        with contextlib.suppress(OSError):
            os.waitpid(_pid, 0)


def watch_owner(fd: int) -> None:
    """Have the watcher take the hang-up of a connection for the end of the owner."""
    if _control is not None:
        with contextlib.suppress(OSError):  # it is gone: somebody killed it
            socket.send_fds(_control, [b"\n"], [fd])


def watch_signals(*signums: signal.Signals) -> None:
    """Have the watcher know when one of these signals arrives.

    Their handlers in Python, which are to be there already, run as ever. A server that then goes on
    for longer than :data:`GRACE` says so by :func:`expect_end`.
    """
    if _control is not None:
        for signum in signums:
            faulthandler.register(signum, _control, all_threads=False, chain=True)


def unwatch_signals(*signums: signal.Signals) -> None:
    """Have their handlers in Python alone again, before others take their place."""
    for signum in signums:
        faulthandler.unregister(signum)


def expect_end(seconds: float) -> None:
    """Say to the watcher that this process has seen the signal, and ends within so many seconds."""
    if _control is not None:
        with contextlib.suppress(OSError):
            _control.send(b"+%d\n" % seconds)


class _Watcher:
    """What the watcher's process does.

    Args:
        control: The socket that leads to the server.
        server: Number of the server's process.
        owner: Number of its owner's; None where it has none.
    """

    def __init__(self, control: socket.socket, server: int, owner: int | None) -> None:
        self._control = control
        self._server = server
        self._owned = owner is not None
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_IGN)
        self._parent = _let_go_of_the_rest(control, owner)
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        if self._parent is not None:
            self._poll.register(self._parent, select.POLLIN)
        self._deadline: float | None = None
        self._owner_left = False

    def run(self) -> None:
        """Wait until the server is to end, and kill it unless it does by itself."""
        while True:
            left = None
            if self._deadline is not None:
                left = (self._deadline - time.monotonic()) * 1000
                if left <= 0:
                    self._kill()
                    return
            for fd, _ in self._poll.poll(left):
                if fd != self._control.fileno():
                    self._leave(fd)
                elif not self._listen():
                    return

    def _leave(self, fd: int) -> None:
        """Take note that the owner is gone."""
        self._poll.unregister(fd)
        if fd == self._parent:
            # Its connections may live on in a fork of it, so the server has to be notified.
            with contextlib.suppress(OSError):
                os.kill(self._server, signal.SIGTERM)
        if not self._owner_left:
            self._owner_left = True
            self._deadline = time.monotonic() + GRACE

    def _listen(self) -> bool:
        """Take what the server says; return whether it still runs."""
        data, fds, _, _ = socket.recv_fds(self._control, 1 << 14, 16)
        for connection in fds:
            self._poll.register(connection, _HANG_UP)
        if data and not fds and not self._owner_left:
            # What faulthandler writes is the place that the server is at: some lines of text.
            expected = re.search(rb"\+(\d+)\n\Z", data)
            seconds = GRACE if expected is None else float(expected[1])
            self._deadline = time.monotonic() + seconds
        return bool(data)

    def _kill(self) -> None:
        """Kill the server; with its whole group, where its owner is gone."""
        with contextlib.suppress(OSError):
            if self._owned and os.getpgid(self._server) == self._server:
                os.killpg(self._server, signal.SIGKILL)
            else:
                os.kill(self._server, signal.SIGKILL)


def _let_go_of_the_rest(control: socket.socket, owner: int | None) -> int | None:
    """Close what the server has open; return a file that can be read once the owner is gone."""
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    parent = None
    if owner is not None:
        with contextlib.suppress(OSError, AttributeError):  # gone already, or not on this system
            parent = os.pidfd_open(owner)
    keep = {0, 1, 2, control.fileno(), parent}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        if int(name) not in keep:
            with contextlib.suppress(OSError):
                os.close(int(name))
    return parent
