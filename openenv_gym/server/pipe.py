"""The pipe face: sessions for one owner on the same host, over a stream socket.

No event loop and no HTTP: each connection is a session, and its one thread reads, steps and writes.
An owned server ends when its owner's connection does, whichever way that came about: the main
thread watches the connection for a hang-up, also while a step runs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from openenv_gym.errors import OpenEnvGymError, ServerFullError, StartError
from openenv_gym.server.exchange import answer, read, refusal, session_for_owner
from openenv_gym.server.process import end_group, owner_left
from openenv_gym.server.watcher import watch_owner
from openenv_gym.wire.codec import encoder_into
from openenv_gym.wire.names import CLOSE_LIMIT, HANDSHAKE_LIMIT
from openenv_gym.wire.private_folder import KEY, SOCKET, check_private, read_key
from openenv_gym.wire.shared_memory import map_for_writing
from openenv_gym.wire.stream import Stream

_log = logging.getLogger(__name__)

_UNREADY = "notyet"  # no shorter than the socket's name: a path of it may have 107 bytes

_OWNER_LIMIT = 60.0
_HANG_UP = getattr(select, "POLLRDHUP", select.POLLHUP)


class _Connection(NamedTuple):
    stream: Stream
    thread: threading.Thread
    unwatched: threading.Event  # the watcher has let go of it, so it may be closed


class PipeServer:
    """Serves sessions of one environment over a listening socket, or over one connected socket.

    Args:
        environment: Name of the environment.
        options: Options of the environment, unless the client gives others.
        max_sessions: Sessions at a time.
        idle_timeout: Seconds without a request after which a session is closed; None: never.
    """

    def __init__(
        self,
        environment: str,
        *,
        options: Mapping[str, Any] | None = None,
        max_sessions: int = 1,
        idle_timeout: float | None = None,
    ) -> None:
        self._environment = environment
        self._options = options
        self._idle_timeout = idle_timeout
        self._max_sessions = max_sessions
        self._free = threading.BoundedSemaphore(max_sessions)
        self._connections: dict[int, _Connection] = {}
        self._owner: Stream | None = None
        self._poll = select.poll()
        self._signals: socket.socket | None = None

    def serve_connection(self, sock: socket.socket) -> None:
        """Serves the one session of an owner that is connected already; ends with it."""
        self._converse_in_thread(Stream(sock), None)
        self._watch(None, b"", None)

    def serve_listener(
        self, listener: socket.socket, key: bytes, *, owner_limit: float | None
    ) -> None:
        """Serves all who connect and know the key.

        Args:
            listener: The listening socket.
            key: What a client must know.
            owner_limit: The first who connects and knows the key is the owner, and the server ends
                with that connection, or after so many seconds without one. None serves for ever.
        """
        self._poll.register(listener, select.POLLIN)
        self._watch(listener, key, owner_limit)

    def _watch(self, listener: socket.socket | None, key: bytes, owner_limit: float | None) -> None:
        """Accepts connections and notices hang-ups, until the owner is gone."""
        deadline = None if owner_limit is None else time.monotonic() + owner_limit
        while True:
            left = None
            if deadline is not None and self._owner is None:
                left = (deadline - time.monotonic()) * 1000
                if left <= 0:
                    _log.warning("nobody who knows the key connected within %s s", owner_limit)
                    return
            for fd, _ in self._poll.poll(left):
                if self._signals is not None and fd == self._signals.fileno():
                    signum = self._signals.recv(1)[0]
                    self._end_sessions()
                    raise SystemExit(128 + signum)
                if listener is not None and fd == listener.fileno():
                    self._converse_in_thread(Stream(listener.accept()[0]), key)
                    continue
                self._poll.unregister(fd)
                connection = self._connections.pop(fd)
                connection.unwatched.set()
                owned = listener is None or owner_limit is not None
                if owned and connection.stream is self._owner:
                    owner_left()
                    _join_or_abandon(connection.thread)
                    return

    def _converse_in_thread(self, stream: Stream, key: bytes | None) -> None:
        unwatched = threading.Event()
        thread = threading.Thread(
            target=self._converse, args=(stream, key, unwatched), daemon=True, name="session"
        )
        if key is None:
            self._owner = stream
            watch_owner(stream.fileno())
        self._connections[stream.fileno()] = _Connection(stream, thread, unwatched)
        self._poll.register(stream.fileno(), _HANG_UP)
        thread.start()

    def _converse(self, stream: Stream, key: bytes | None, unwatched: threading.Event) -> None:
        """One connection, from the handshake to the hang-up, on one thread."""
        try:
            stream.expect_descriptors()  # of the first request, maybe while the handshake is read
            if key is not None:
                stream.set_timeout(HANDSHAKE_LIMIT)
                stream.prove(key, first=True)
                if self._owner is None:
                    self._owner = stream
                    watch_owner(stream.fileno())
            stream.set_timeout(self._idle_timeout)
            if self._free.acquire(blocking=False):
                try:
                    goodbye = self._serve_session(stream)
                finally:
                    self._free.release()
                stream.send_bytes(goodbye)  # now whoever reads it may come again
            else:
                self._refuse(stream)
        except EOFError:
            pass  # the client is gone, the ordinary end
        except BlockingIOError:
            _log.warning("a connection was silent for too long: closed")
        except (OSError, OpenEnvGymError) as error:
            _log.warning("a connection ended: %s", error)
        finally:
            stream.shutdown()  # which the watcher takes for a hang-up
            unwatched.wait()
            stream.close()

    def _serve_session(self, stream: Stream) -> bytes:
        """Answers until the session is closed; gives the reply to that, which is not sent yet."""
        data = stream.recv_bytes()
        memory = map_for_writing(stream.take_descriptors())
        encoder = None if memory is None else encoder_into(memory)
        empty = np.empty if memory is None else memory.empty
        session = session_for_owner(self._environment, self._options, empty)
        try:
            while True:
                if memory is not None:
                    memory.begin()
                reply = answer(session, data, encoder)
                if session.is_closed:
                    return reply
                stream.send_bytes(reply)
                data = stream.recv_bytes()
        finally:
            try:
                session.close()
            except OpenEnvGymError as error:
                _log.warning("closing the environment: %s", error)
            if memory is not None:
                memory.close()

    def _refuse(self, stream: Stream) -> None:
        request = read(stream.recv_bytes())
        error = ServerFullError(
            f"All {self._max_sessions} sessions of this server are taken. Close one, or serve with "
            "a larger --max-sessions.",
            max_sessions=self._max_sessions,
            free=0,
        )
        stream.send_bytes(refusal(error, request.id))

    @contextlib.contextmanager
    def ending_at(self, *signums: int) -> Iterator[None]:
        """While it lasts these signals close all sessions and end the process.

        They wake the watcher. A handler that raises may be called where what it raises gets lost:
        in the midst of clearing away what a connection left.
        """
        self._signals, waker = socket.socketpair()
        with self._signals, waker:
            waker.setblocking(False)
            signal.set_wakeup_fd(waker.fileno())
            before = {signum: signal.signal(signum, lambda *_: None) for signum in signums}
            self._poll.register(self._signals, select.POLLIN)
            try:
                yield
            finally:
                self._poll.unregister(self._signals)
                for signum, handler in before.items():
                    signal.signal(signum, handler)
                signal.set_wakeup_fd(-1)

    def _end_sessions(self) -> None:
        connections = list(self._connections.values())
        for connection in connections:
            connection.stream.shutdown()
            connection.unwatched.set()
        for connection in connections:
            _join_or_abandon(connection.thread)


def _join_or_abandon(thread: threading.Thread) -> None:
    """Waits for a session to end; if it does not, ends the process without it."""
    thread.join(CLOSE_LIMIT)
    if thread.is_alive():
        _log.error("a step does not end, and nobody waits for it any more: ending at once")
        logging.shutdown()
        end_group()
        os._exit(1)


def key_of(directory: Path) -> bytes:
    """The key in a pipe's directory; made, readable for its owner only, where there is none.

    Raises:
        StartError: The directory cannot be used, or it or its key is open to other users.
    """
    path = directory / KEY
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_private(directory)
        if not path.exists():
            # It gets its name when it is whole: who sees it can read it.
            unready = directory / f"{KEY}.{os.getpid()}"
            with open(os.open(unready, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(32))
            with contextlib.suppress(FileExistsError):  # another server's came first
                os.link(unready, path)
            unready.unlink()
        return read_key(directory)
    except OSError as error:
        raise StartError(
            f"The directory {directory} cannot hold a pipe: {error}. Name another with --pipe.",
            directory=str(directory),
        ) from error


def listen(directory: Path, address: tuple[str, int] | None) -> socket.socket:
    """The listening socket of a pipe: the file ``socket`` in its directory, or a TCP address.

    Raises:
        StartError: It cannot be had.
    """
    path = directory / SOCKET
    try:
        if address is not None:
            return socket.create_server(address)
        # It gets its name when it listens: who sees it can connect.
        unready = directory / _UNREADY
        unready.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listener.bind(str(unready))
            unready.chmod(0o600)
            listener.listen(64)
            unready.rename(path)
        except BaseException:
            listener.close()
            raise
        return listener
    except OSError as error:
        raise StartError(
            f"Cannot listen at {address or path}: {error}. A path may have 107 bytes; name another "
            "with --pipe, or another port.",
            address=str(address or path),
        ) from error


def serve(
    environment: str,
    where: Path | socket.socket,
    *,
    address: tuple[str, int] | None = None,
    options: Mapping[str, Any] | None = None,
    owned: bool = False,
    max_sessions: int = 1,
    idle_timeout: float | None = None,
) -> None:
    """Serves until the owner is gone, or a signal comes.

    Args:
        environment: Name of the environment.
        where: Directory of the pipe; or the connected socket of an owner.
        address: Listen at this TCP address instead of the socket in the directory.
        options: Options of the environment, unless the client gives others.
        owned: The first connection is the owner's, and the server ends with it.
        max_sessions: Sessions at a time.
        idle_timeout: Seconds without a request after which a session is closed; None: never.

    Raises:
        StartError: It cannot listen there.
    """
    server = PipeServer(
        environment, options=options, max_sessions=max_sessions, idle_timeout=idle_timeout
    )
    with server.ending_at(signal.SIGTERM, signal.SIGINT):
        if isinstance(where, socket.socket):
            server.serve_connection(where)
            return
        key = key_of(where)
        with listen(where, address) as listener:
            try:
                server.serve_listener(listener, key, owner_limit=_OWNER_LIMIT if owned else None)
            finally:
                if address is None:
                    (where / SOCKET).unlink(missing_ok=True)
