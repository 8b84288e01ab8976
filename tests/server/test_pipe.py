"""``serve --pipe``: keys, sessions, limits, and clients that do not behave."""

from __future__ import annotations

import os
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from openenv_gym.channel import Channel
from openenv_gym.codec import decode, encode
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    AuthenticationError,
    ConnectError,
    EpisodeError,
    OptionError,
    ProtocolError,
    RegistryError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.messages import Close, Closed, Description, Failure, Open, Reset, Step
from openenv_gym.server import pipe
from openenv_gym_transports.pipe import connect
from tests.servers import eventually
from tests.troubles import COUNT, HANG, TROUBLE, nothing_left

AT_ONCE = 5.0
"""Seconds: far more than it takes on any machine, far less than any limit of ours."""


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    with nothing_left():
        yield


Serve = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Serves in ``tmp_path`` by the command, in a process that is ended after the test."""
    servers = []

    def start(*arguments: str, environment: str = TROUBLE) -> subprocess.Popen[str]:
        server = subprocess.Popen(
            [sys.executable, "-m", "openenv_gym.cli", "serve", environment]
            + ["--pipe", str(tmp_path), *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stderr=subprocess.PIPE,
            text=True,
        )
        servers.append(server)
        if "--port" not in arguments:
            eventually((tmp_path / "socket").exists)
        return server

    yield start
    for server in servers:
        server.terminate()
        server.wait(10.0)
        assert server.stderr is not None
        server.stderr.close()


def make(directory: Path, **keywords: Any) -> OpenEnvGym:
    return OpenEnvGym(transport="process", url=f"unix://{directory}", **keywords)


def log_of(server: subprocess.Popen[str]) -> str:
    server.terminate()
    assert server.stderr is not None
    return server.stderr.read()


def test_served_and_closed(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "socket").stat().st_mode) == 0o600
    for _ in range(2):  # one after the other, each with an environment of its own
        env = make(tmp_path)
        assert env.isolation == {"transport": "process", "boundary": "process"}
        env.reset()
        assert env.step(COUNT)[0] == 1
        env.close()
    log = log_of(server)
    assert server.wait(AT_ONCE) == 128 + signal.SIGTERM
    assert "Traceback" not in log
    assert not (tmp_path / "socket").exists()


def test_the_name_may_be_given_too(serve: Serve, tmp_path: Path) -> None:
    serve()
    for name in (TROUBLE, None):
        env = OpenEnvGym(name, transport="process", url=f"unix://{tmp_path}")
        env.close()
    with pytest.raises(RegistryError, match="Troublesome"):
        OpenEnvGym("echo", transport="process", url=f"unix://{tmp_path}")


def test_options_of_server_and_client(serve: Serve, tmp_path: Path) -> None:
    serve("--option", "seconds=0.01", "--option", "first=count")
    env = make(tmp_path, size=3)
    env.reset()
    begin = time.monotonic()
    env.step(HANG)
    assert time.monotonic() - begin < AT_ONCE
    env.close()
    with pytest.raises(OptionError, match="no_such"):
        make(tmp_path, no_such=3)


def test_wrong_key(serve: Serve, tmp_path: Path) -> None:
    serve()
    right = (tmp_path / "key").read_bytes()
    for wrong in (b"wrong", b"", right[:-1]):
        (tmp_path / "key").write_bytes(wrong)
        with pytest.raises(AuthenticationError, match="key"):
            make(tmp_path)
    (tmp_path / "key").write_bytes(right)
    make(tmp_path).close()


def test_a_second_client(serve: Serve, tmp_path: Path) -> None:
    serve()
    first = make(tmp_path)
    with pytest.raises(ServerFullError, match="--max-sessions"):
        make(tmp_path)
    first.reset()
    assert first.step(COUNT)[0] == 1
    first.close()
    make(tmp_path).close()  # there is room as soon as the first is closed


def _opens(directory: Path) -> bool:
    try:
        make(directory).close()
    except ServerFullError:
        return False
    return True


def test_two_sessions_are_separate(serve: Serve, tmp_path: Path) -> None:
    serve("--max-sessions", "2")
    one, other = make(tmp_path), make(tmp_path)
    one.reset()
    other.reset()
    assert [one.step(COUNT)[0], one.step(COUNT)[0], other.step(COUNT)[0]] == [1, 2, 1]
    one.close()
    assert other.step(COUNT)[0] == 2
    other.close()


def test_a_session_that_is_idle(serve: Serve, tmp_path: Path) -> None:
    serve("--idle-timeout", "0.5")
    env = make(tmp_path)
    env.reset()
    time.sleep(0.1)
    assert env.step(COUNT)[0] == 1
    eventually(lambda: _opens(tmp_path))
    with pytest.raises(SessionLostError):
        env.step(COUNT)
    with pytest.raises(EpisodeError):
        env.step(COUNT)
    env.close()


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
    channel = _channel(tmp_path)
    for data in (b"", b"garbage", b"\xc1", b"\xdd\xff\xff\xff\xff", encode(Closed()), bytes(10**6)):
        channel.send_bytes(data)
        reply = decode(channel.recv_bytes())
        assert type(reply) is Failure
        assert reply.kind in ("CodecError", "ProtocolError")
        assert reply.id == 0
    # It is none the worse for it.
    assert _asked(channel, Open(None, {}, id=1)).id == 1
    assert type(_asked(channel, Open(None, {}, id=2))) is Failure
    assert type(_asked(channel, Reset(0, id=3))).__name__ == "Result"
    assert type(_asked(channel, Step(COUNT, id=4))).__name__ == "Result"
    assert type(_asked(channel, Close(id=5))) is Closed
    with pytest.raises(EOFError):
        channel.recv_bytes()
    channel.close()
    assert "Traceback" not in log_of(server)


def test_a_length_beyond_all_bounds(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    channel = _channel(tmp_path)
    channel._socket.sendall(struct.pack("!I", 2**32 - 1))
    with pytest.raises((EOFError, ConnectionError)):
        channel.recv_bytes()
    channel.close()
    make(tmp_path).close()
    assert "Traceback" not in log_of(server)


def test_a_message_cut_off(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    channel = _channel(tmp_path)
    channel._socket.sendall(struct.pack("!I", 1000) + b"half")
    channel.close()
    eventually(lambda: _opens(tmp_path))
    assert "Traceback" not in log_of(server)


def _channel(directory: Path) -> Channel:
    return connect(directory / "socket", (directory / "key").read_bytes())


def _asked(channel: Channel, message: Any) -> Any:
    channel.send_bytes(encode(message))
    return decode(channel.recv_bytes())


def test_over_tcp(serve: Serve, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = serve("--port", str(port))
    eventually(lambda: (tmp_path / "key").exists())
    key = (tmp_path / "key").read_bytes()
    address = ("127.0.0.1", port)
    with pytest.raises(AuthenticationError):
        connect(address, b"wrong", limit=AT_ONCE)
    channel = connect(address, key, limit=AT_ONCE)
    assert type(_asked(channel, Open(None, {}, id=1))) is Description
    channel.close()
    assert not (tmp_path / "socket").exists()
    with socket.create_connection(address):
        pass  # one who goes at once
    assert "Traceback" not in log_of(server)


def test_a_port_that_is_taken(serve: Serve, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--port", str(taken.getsockname()[1]))
        assert server.wait(2 * AT_ONCE) == 1
    assert "Cannot listen" in log_of(server)


def test_a_path_that_is_too_long(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    command = [sys.executable, "-m", "openenv_gym.cli", "serve", TROUBLE, "--pipe", str(long)]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "107" in done.stderr
    assert "Traceback" not in done.stderr
    (long / "key").touch()
    with pytest.raises(ConnectError):
        make(long)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_is_told_to_end_in_the_middle_of_a_session(
    serve: Serve, tmp_path: Path, how: signal.Signals
) -> None:
    server = serve()
    env = make(tmp_path)
    env.reset()
    server.send_signal(how)
    assert server.wait(2 * AT_ONCE) == 128 + how
    with pytest.raises(SessionLostError):
        env.step(COUNT)
    env.close()


def test_it_is_killed(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    env = make(tmp_path)
    env.reset()
    server.kill()
    server.wait()
    begin = time.monotonic()
    with pytest.raises(SessionLostError):
        env.step(COUNT)
    with pytest.raises(ConnectError):
        make(tmp_path)
    assert time.monotonic() - begin < AT_ONCE
    env.close()
    serve()  # what it left behind is in nobody's way
    eventually(lambda: _connects(tmp_path))


def _connects(directory: Path) -> bool:
    try:
        make(directory).close()
    except ConnectError:
        return False
    return True


def test_an_owned_one_ends_with_its_owner(serve: Serve, tmp_path: Path) -> None:
    server = serve("--owned", "--max-sessions", "2")
    stranger = socket.socket(socket.AF_UNIX)
    stranger.connect(str(tmp_path / "socket"))
    stranger.close()
    owner = make(tmp_path)
    make(tmp_path).close()
    owner.reset()
    assert server.poll() is None
    owner.close()
    server.wait(2 * AT_ONCE)


def test_an_owned_one_that_nobody_comes_to(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pipe.listen(tmp_path, None) as listener:
        pipe.PipeServer(TROUBLE).serve_listener(listener, b"key", owner_limit=0.2)
    assert 0.2 < time.monotonic() - begin < AT_ONCE
