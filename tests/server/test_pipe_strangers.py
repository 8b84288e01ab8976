"""Pipes: what is no server of ours, and clients that do not behave."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    ConnectError,
    OptionError,
    ProtocolError,
)
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Close, Closed, Failure, Open, Reset, Step
from tests.server.pipes import Serve, asked, channel_to, log_of, make, opens
from tests.servers import eventually
from tests.troubles import AT_ONCE, COUNT

pytestmark = pytest.mark.usefixtures("no_leftovers")


@pytest.mark.parametrize("there", ["nothing", "key", "key and file", "dead socket"])
def test_no_pipe_there(there: str, tmp_path: Path) -> None:
    if there != "nothing":
        (tmp_path / "key").write_bytes(b"key")
    if there == "key and file":
        (tmp_path / "socket").write_bytes(b"")
    if there == "dead socket":
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(tmp_path / "socket"))
    begin = time.monotonic()
    with pytest.raises(ConnectError, match="openenv-gym serve"):
        make(tmp_path)
    assert time.monotonic() - begin < AT_ONCE


def test_another_server_there(tmp_path: Path) -> None:
    """One that says something else, or nothing and goes."""
    (tmp_path / "key").write_bytes(b"key")
    for says in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\0\0\5hello", b"\0\0\0\0"):
        path = tmp_path / "socket"
        path.unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
            listener.listen()
            client = _Background(lambda: make(tmp_path))
            peer = listener.accept()[0]
            with peer:
                peer.sendall(says)
                peer.shutdown(socket.SHUT_WR)
                assert isinstance(client.error(), ConnectError | ProtocolError), says


class _Background:
    """Calls something that must fail in a thread."""

    def __init__(self, call: Callable[[], Any]) -> None:
        import threading

        self._error: BaseException | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except BaseException as error:
            self._error = error

    def error(self) -> BaseException | None:
        self._thread.join(15.0)
        assert not self._thread.is_alive()
        return self._error


@pytest.mark.parametrize(
    "url", ["http://localhost", "unix://relative", "unix:", "/tmp/x", "unix://host/tmp"]
)
def test_wrong_url(url: str) -> None:
    with pytest.raises(OptionError, match="unix:///directory"):
        OpenEnvGym(transport="process", url=url)


def test_what_strangers_send(serve: Serve, tmp_path: Path) -> None:
    """They do not know the key: they are hung up on, and the server goes on."""
    server = serve()
    for data in (
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff" * 100,
        b"\0" * 100,
        b"\0\0\1\0" + b"x" * 256,
    ):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "socket"))
            sock.settimeout(AT_ONCE)
            try:
                sock.sendall(data)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(1000):
                    pass
            except ConnectionError:
                pass  # hung up on before it could say all
    make(tmp_path).close()
    assert "Traceback" not in log_of(server)


def test_garbage_of_one_who_knows_the_key(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    stream = channel_to(tmp_path)
    for data in (b"", b"garbage", b"\xc1", b"\xdd\xff\xff\xff\xff", encode(Closed()), bytes(10**6)):
        stream.send_bytes(data)
        reply = decode(stream.recv_bytes())
        assert type(reply) is Failure
        assert reply.kind in ("CodecError", "ProtocolError")
        assert reply.id == 0
    # It is none the worse for it.
    assert asked(stream, Open(None, {}, id=1)).id == 1
    assert type(asked(stream, Open(None, {}, id=2))) is Failure
    assert type(asked(stream, Reset(0, id=3))).__name__ == "Result"
    assert type(asked(stream, Step(COUNT, id=4))).__name__ == "Result"
    assert type(asked(stream, Close(id=5))) is Closed
    with pytest.raises(EOFError):
        stream.recv_bytes()
    stream.close()
    assert "Traceback" not in log_of(server)


def test_a_length_beyond_all_bounds(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    stream = channel_to(tmp_path)
    stream._socket.sendall(struct.pack("!I", 2**32 - 1))
    with pytest.raises((EOFError, ConnectionError)):
        stream.recv_bytes()
    stream.close()
    make(tmp_path).close()
    assert "Traceback" not in log_of(server)


def test_a_message_cut_off(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    stream = channel_to(tmp_path)
    stream._socket.sendall(struct.pack("!I", 1000) + b"half")
    stream.close()
    eventually(lambda: opens(tmp_path))
    assert "Traceback" not in log_of(server)
