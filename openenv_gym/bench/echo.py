"""The other end of the raw peers; a program of its own, which imports nothing of ours.

``echo.py FD REQUEST REPLY`` answers each REQUEST bytes with REPLY bytes.
"""

from __future__ import annotations

import socket
import sys


def fill(sock: socket.socket, view: memoryview) -> bool:
    """Reads until the memory is full; False where the other end is gone."""
    while view:
        got = sock.recv_into(view)
        if not got:
            return False
        view = view[got:]
    return True


def answer(sock: socket.socket, request: int, reply: int) -> None:
    """Answers until the other end is gone."""
    sock.settimeout(None)
    view = memoryview(bytearray(request))
    data = bytes(reply)
    try:
        while fill(sock, view):
            sock.sendall(data)
    except ConnectionError:
        return


if __name__ == "__main__":
    answer(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]), int(sys.argv[3]))
