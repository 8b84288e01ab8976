"""``serve --pipe``: keys, sessions, limits, and its end."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    AuthenticationError,
    ConnectError,
    EpisodeError,
    OptionError,
    RegistryError,
    ServerFullError,
    SessionLostError,
)
from openenv_gym.server import pipe
from openenv_gym.wire.messages import Description, Open
from openenv_gym_transports.links.pipe import connect
from tests.server.pipes import Serve, asked, log_of, make, opens
from tests.servers import eventually
from tests.troubles import AT_ONCE, COUNT, HANG, TROUBLE

pytestmark = pytest.mark.usefixtures("no_leftovers")


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
    eventually(lambda: opens(tmp_path))
    with pytest.raises(SessionLostError):
        env.step(COUNT)
    with pytest.raises(EpisodeError):
        env.step(COUNT)
    env.close()


def test_over_tcp(serve: Serve, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = serve("--port", str(port))
    eventually(lambda: (tmp_path / "key").exists())
    key = (tmp_path / "key").read_bytes()
    address = ("127.0.0.1", port)
    with pytest.raises(AuthenticationError):
        connect(address, b"wrong", limit=AT_ONCE)
    stream = connect(address, key, limit=AT_ONCE)
    assert type(asked(stream, Open(None, {}, id=1))) is Description
    stream.close()
    assert not (tmp_path / "socket").exists()
    with socket.create_connection(address):
        pass  # one who goes at once
    assert "Traceback" not in log_of(server)


def test_a_port_that_is_taken(serve: Serve, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = serve("--port", str(taken.getsockname()[1]))
        assert server.wait(AT_ONCE) == 1
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
    assert server.wait(AT_ONCE) == 128 + how
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
    server.wait(AT_ONCE)


def test_an_owned_one_that_nobody_comes_to(tmp_path: Path) -> None:
    begin = time.monotonic()
    with pipe.listen(tmp_path, None) as listener:
        pipe.PipeServer(TROUBLE).serve_listener(listener, b"key", owner_limit=0.2)
    assert 0.2 < time.monotonic() - begin < AT_ONCE
