"""The other end of the raw peers; a program of its own, which imports nothing of ours.

``echo.py FD REQUEST REPLY AWAKE`` answers each REQUEST bytes with REPLY bytes, and waits for them
as many microseconds AWAKE before it sleeps.
"""

from __future__ import annotations

import select
import socket
import sys
from time import perf_counter


class Receiver:
    """Receives from a socket.

    Args:
        sock: The socket; it blocks.
        awake: Microseconds to wait awake before it sleeps.
    """

    def __init__(self, sock: socket.socket, awake: int) -> None:
        self._recv_into = sock.recv_into
        self._awake = awake / 1e6
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN)
        self._ready = poll.poll

    def fill(self, view: memoryview) -> bool:
        """Reads until the memory is full; False where the other end is gone."""
        while view:
            if self._awake:
                end = perf_counter() + self._awake
                while not self._ready(0) and perf_counter() < end:
                    pass
            got = self._recv_into(view)
            if not got:
                return False
            view = view[got:]
        return True


def answer(sock: socket.socket, request: int, reply: int, awake: int) -> None:
    """Answers until the other end is gone."""
    sock.settimeout(None)
    view = memoryview(bytearray(request))
    data = bytes(reply)
    receiver = Receiver(sock, awake)
    try:
        while receiver.fill(view):
            sock.sendall(data)
    except ConnectionError:
        return


if __name__ == "__main__":
    fd, *numbers = map(int, sys.argv[1:])
    answer(socket.socket(fileno=fd), *numbers)
