"""The WebSocket transport: what answers that is no server of ours, pings, fragments, TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import ConnectError, ProtocolError
from openenv_gym.server.exchange import answer
from openenv_gym.sessions.session import Session
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import Closed, Open
from openenv_gym.wire.names import SUBPROTOCOL
from openenv_gym_transports.links.websocket_client import WebSocket
from openenv_gym_transports.websocket import WebSocketTransport
from tests.environments import COUNT, THREADED
from tests.servers import serving


@contextmanager
def server_of(
    handler: Callable[[ServerConnection], None],
    subprotocol: str | None = SUBPROTOCOL,
    context: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """A WebSocket server that is not ours."""
    subprotocols = None if subprotocol is None else [Subprotocol(subprotocol)]
    with serve(
        handler, "127.0.0.1", 0, subprotocols=subprotocols, ssl=context, max_size=None
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.socket.getsockname()[1]
        finally:
            server.shutdown()
            thread.join(10.0)


def session(connection: ServerConnection) -> None:
    """Serves a session, and pings before each reply."""
    served = Session(THREADED)
    try:
        for data in connection:
            connection.ping()
            connection.send(answer(served, data))
    finally:
        served.close()


def fragments(connection: ServerConnection) -> None:
    """Serves a session, in many fragments with pings between."""
    served = Session(THREADED)
    try:
        for data in connection:
            reply = answer(served, data)
            parts = [reply[start : start + 999] for start in range(0, len(reply), 999)]
            connection.send(parts)
    finally:
        served.close()


@contextmanager
def answering(reply: bytes) -> Iterator[int]:
    """A server that says the same to everybody."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve_one() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.recv(1 << 16)
                sock.sendall(reply)

        thread = threading.Thread(target=serve_one)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            thread.join(10.0)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (b"", "hung up"),
        (b"garbage\r\n\r\n", "not a WebSocket server"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "HTTP 200 hi"),
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "not a WebSocket server"),
    ],
)
def test_what_is_no_websocket_server(reply: bytes, message: str) -> None:
    with answering(reply) as port, pytest.raises(ConnectError, match=message):
        OpenEnvGym(THREADED, transport="websocket", url=f"ws://127.0.0.1:{port}")


def test_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"ws://127.0.0.1:{listener.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(ConnectError, match="timed out"):
            WebSocketTransport(url=url, start_timeout=0.3).open(Open(None, {}))
        assert time.monotonic() - started < 20.0


def test_server_without_our_subprotocol() -> None:
    with server_of(session, None) as port, pytest.raises(ProtocolError, match=r"openenv-gym\.1"):
        OpenEnvGym(THREADED, transport="websocket", url=f"ws://127.0.0.1:{port}")


def test_server_that_answers_with_requests() -> None:
    def handler(connection: ServerConnection) -> None:
        for _ in connection:
            connection.send(encode(Open(None, {}, id=1)))

    with server_of(handler) as port, pytest.raises(ProtocolError, match="is not a reply"):
        OpenEnvGym(THREADED, transport="websocket", url=f"ws://127.0.0.1:{port}")


def test_server_that_answers_with_something_else() -> None:
    def handler(connection: ServerConnection) -> None:
        for _ in connection:
            connection.send(encode(Closed(id=1)))

    with server_of(handler) as port, pytest.raises(ProtocolError, match="Description was due"):
        OpenEnvGym(THREADED, transport="websocket", url=f"ws://127.0.0.1:{port}")


@pytest.mark.parametrize("handler", [session, fragments])
def test_pings_and_fragments(handler: Callable[[ServerConnection], None]) -> None:
    with server_of(handler) as port:
        url = f"ws://127.0.0.1:{port}"
        env = OpenEnvGym(THREADED, transport="websocket", url=url, size=200_000, timeout=10.0)
        assert env.reset()[0]["frame"].shape == (200_000,)
        assert [env.step(COUNT)[0]["count"] for _ in range(5)] == [1, 2, 3, 4, 5]
        env.close()


def test_pings_do_not_prolong_a_wait() -> None:
    def handler(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            for _ in range(1500):
                connection.ping()
                time.sleep(0.02)

    with server_of(handler) as port:
        client = WebSocket(f"ws://127.0.0.1:{port}", subprotocol=SUBPROTOCOL, headers={}, limit=5.0)
        started = time.monotonic()
        with pytest.raises(TimeoutError):
            client.receive(0.4)
        assert 0.3 < time.monotonic() - started < 20.0
        client.close()


def test_messages_that_come_at_once() -> None:
    def handler(connection: ServerConnection) -> None:
        frames = [Frame(Opcode.BINARY, b"%d" % number).serialize(mask=False) for number in range(3)]
        connection.socket.sendall(b"".join(frames))
        connection.recv()

    with server_of(handler) as port:
        client = WebSocket(f"ws://127.0.0.1:{port}", subprotocol=SUBPROTOCOL, headers={}, limit=5.0)
        assert [bytes(client.receive(5.0)) for _ in range(3)] == [b"0", b"1", b"2"]
        client.close()


def test_server_that_says_good_bye() -> None:
    def handler(connection: ServerConnection) -> None:
        connection.close(1001, "bye")

    with server_of(handler) as port:
        client = WebSocket(f"ws://127.0.0.1:{port}", subprotocol=SUBPROTOCOL, headers={}, limit=5.0)
        for _ in range(2):
            with pytest.raises(ConnectionError, match="1001 bye"):
                client.receive(5.0)
        with pytest.raises(ConnectionError):
            client.send(b"too late")
        client.close()


def test_headers_reach_the_server() -> None:
    seen: dict[str, str] = {}

    def handler(connection: ServerConnection) -> None:
        assert connection.request is not None
        seen.update((name.lower(), value) for name, value in connection.request.headers.raw_items())
        session(connection)

    with server_of(handler) as port:
        options = {"headers": {"X-Proxy": "pass"}}
        url = f"ws://127.0.0.1:{port}"
        OpenEnvGym(
            THREADED, transport="websocket", url=url, token="t", transport_options=options
        ).close()
    assert seen["x-proxy"] == "pass"
    assert seen["authorization"] == "Bearer t"
    assert len(seen["x-session-id"]) >= 32
    assert "sec-websocket-extensions" not in seen


def test_silence_between_steps_is_kept_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that reads nothing while its model thinks is not dropped."""
    from tests import servers

    settings = {**servers.uvicorn_settings(), "ws_ping_interval": 0.05}
    monkeypatch.setattr(servers, "uvicorn_settings", lambda *_: settings)
    with serving(THREADED, resume_timeout=0.01) as served:
        env = OpenEnvGym(THREADED, transport="websocket", url=served.url("websocket"))
        env.reset()
        time.sleep(1.0)
        assert env.step(COUNT)[0]["count"] == 1
        env.close()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"]
        + ["-keyout", key, "-out", certificate, "-subj", "/CN=localhost"]
        + ["-addext", "subjectAltName=IP:127.0.0.1"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with server_of(session, context=context) as port:
        url = f"wss://127.0.0.1:{port}"
        with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            OpenEnvGym(THREADED, transport="websocket", url=url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        env = OpenEnvGym(THREADED, transport="websocket", url=url, size=200_000, timeout=10.0)
        env.reset()
        assert env.step(COUNT)[0]["count"] == 1
        client = env.link._connection  # type: ignore[attr-defined]
        with pytest.raises(TimeoutError):
            client.receive(0.1)
        assert env.step(COUNT)[0]["count"] == 2
        env.close()
