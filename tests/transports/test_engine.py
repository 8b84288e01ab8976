"""What is at the engine's address may be anything, or nothing."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from pathlib import Path

import pytest

from openenv_gym.errors import EngineMissingError
from openenv_gym_transports.containers import engine


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"\x00\x01 no HTTP\r\n", id="not HTTP"),
        pytest.param(b"", id="hangs up"),
        pytest.param(b"HTTP/1.1 200 OK\r\nApi-Version: \xff\r\n\r\n", id="no version"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", id="not an engine"),
    ],
)
def test_server_that_is_no_engine_is_named(
    answer: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "engine.sock"
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"unix://{path}")
        with pytest.raises(EngineMissingError, match="No Docker engine answers") as caught:
            engine.connect()
        assert caught.value.fields["docker_host"] == f"unix://{path}"
        listener.shutdown(socket.SHUT_RDWR)
