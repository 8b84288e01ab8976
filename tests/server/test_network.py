"""``openenv-gym serve`` for the network, as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

import pytest

from openenv_gym.cli import main
from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import AuthenticationError, ExchangeTimeoutError
from tests.environments import COUNT, THREADED, WAIT
from tests.servers import process


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says when it fails."""
    assert main(["serve", *arguments]) == 1
    return capsys.readouterr().err


def test_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        error = said(capsys, THREADED, "--port", str(port))
    assert f"Cannot listen at 127.0.0.1, port {port}" in error
    assert "in use" in error
    assert "--port 0" in error


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_port_that_is_none(capsys: pytest.CaptureFixture[str], port: str) -> None:
    assert f"port {port}" in said(capsys, THREADED, "--port", port)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "trainer-7"])
def test_strangers_need_a_token(capsys: pytest.CaptureFixture[str], host: str) -> None:
    error = said(capsys, THREADED, "--host", host)
    assert "--token" in error
    assert "OPENENV_GYM_TOKEN" in error


def test_no_token_on_purpose(capsys: pytest.CaptureFixture[str]) -> None:
    # It gets as far as the port, which is taken.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        for host in ("0.0.0.0", "localhost"):
            error = said(capsys, THREADED, "--host", host, "--token", "", "--port", port)
            assert "Cannot listen" in error


@pytest.mark.parametrize("token", ["", " ", "\n"])
def test_a_token_that_was_not_filled_in_is_not_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("OPENENV_GYM_TOKEN", token)
    error = said(capsys, THREADED, "--host", "0.0.0.0", "--port", "0")
    assert "OPENENV_GYM_TOKEN is empty" in error
    assert "OPENENV_GYM_TOKEN" not in os.environ


@pytest.mark.parametrize("token", ["tökén", "two words"])
def test_a_token_that_no_client_can_send(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    monkeypatch.setenv("OPENENV_GYM_TOKEN", token)
    for arguments in ((), ("--token", token)):
        error = said(capsys, THREADED, "--port", "0", *arguments)
        assert "no HTTP header carries" in error
        assert token not in error
        monkeypatch.delenv("OPENENV_GYM_TOKEN", raising=False)


def test_an_inherited_socket_for_strangers_needs_a_token(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        fd = os.dup(listener.fileno())  # which the command closes
        error = said(capsys, THREADED, "--network", "--fd", str(fd))
    assert "Whoever reaches 0.0.0.0" in error


def test_environment_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    error = said(capsys, "tests.environments:Nothing", "--port", "0")
    assert "has no Nothing" in error


def test_missing_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert 'pip install "openenv-gym[server]"' in said(capsys, THREADED, "--port", "0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it(number: signal.Signals) -> None:
    with process(THREADED) as (server, port):
        env = OpenEnvGym(THREADED, transport="websocket", url=f"ws://127.0.0.1:{port}")
        env.reset()
        assert env.step(COUNT)[0]["count"] == 1
        server.send_signal(number)
        assert server.wait(30.0) in (0, -number)
        env.close()


def test_signal_ends_it_while_a_step_hangs() -> None:
    with process(THREADED) as (server, port):
        url = f"http://127.0.0.1:{port}"
        env = OpenEnvGym(THREADED, transport="http", url=url, delay=60.0, timeout=2.0)
        env.reset()
        with pytest.raises(ExchangeTimeoutError):
            env.step(WAIT)
        server.terminate()
        server.wait(40.0)
        env.close()


def test_token_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENENV_GYM_TOKEN", "right")
    options = {"env_id": "CartPole-v1"}
    with process("gymnasium", "--option", "env_id=CartPole-v1") as (_, port):
        url = f"http://127.0.0.1:{port}"
        with pytest.raises(AuthenticationError):
            OpenEnvGym("gymnasium", transport="http", url=url, **options)
        env = OpenEnvGym("gymnasium", transport="http", url=url, token="right", **options)
        env.reset()
        env.close()


def test_owner_that_is_gone_before_it_spoke() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        fd = listener.fileno()
        done = subprocess.run(
            [sys.executable, "-m", "openenv_gym.cli", "serve", THREADED, "--network", "--owned"]
            + ["--fd", str(fd)],
            pass_fds=[fd],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=250,
            check=False,
        )
    assert done.returncode == 1
    assert b"owner was gone" in done.stderr
