"""File descriptors that travel over a Unix socket, beside the bytes of a message."""

from __future__ import annotations

import array
import os
import socket
from collections.abc import Sequence
from typing import Any

_MOST = 4  # that are received at a time: more than anybody of ours sends, so that it shows
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def send_with_descriptor(sock: socket.socket, parts: Sequence[Any], file: int) -> int:
    """Send bytes, and a descriptor with the first of them; return how many bytes were sent.

    Raises:
        OSError: As the socket does.
    """
    files = array.array("i", [file])
    return sock.sendmsg(parts, [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])


class DescriptorReader:
    """Receives bytes from a Unix socket, and the descriptors that come with them.

    Whoever reads without this gets the bytes; the kernel closes the descriptors.

    Args:
        sock: The socket; it stays its owner's.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._room = socket.CMSG_SPACE(_MOST * array.array("i").itemsize)
        self._files: list[int] = []

    def recv_into(self, buffer: bytearray | memoryview, /) -> int:
        """Receive what comes next, as a socket does.

        Raises:
            OSError: As the socket does; or more descriptors came than anybody of ours sends.
        """
        size, control, _, _ = self._socket.recvmsg_into([buffer], self._room, _CLOEXEC)
        for level, kind, data in control:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                files = array.array("i")
                files.frombytes(data[: len(data) - len(data) % files.itemsize])
                self._files += files
        if len(self._files) > _MOST:
            self.close()
            raise OSError(f"more than {_MOST} file descriptors came")
        return size

    def rest_into(self, buffer: memoryview, /) -> int:
        """Receive what is on its way already."""
        return self.recv_into(buffer)

    def take(self) -> list[int]:
        """Return the descriptors that came, which are the caller's from now on."""
        files, self._files = self._files, []
        return files

    def close(self) -> None:
        """Close the descriptors that nobody took."""
        for file in self.take():
            os.close(file)
