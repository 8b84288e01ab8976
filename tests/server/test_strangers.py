"""What strangers may take of a network server, and that its clients go on meanwhile."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.server import connections
from openenv_gym.server.http import CONTENT_TYPE
from openenv_gym.server.uvicorn_protocols import _MAX_FRAMES
from openenv_gym.wire.codec import decode, encode
from openenv_gym.wire.messages import Failure, Open, Step
from tests.environments import COUNT, INLINE, THREADED
from tests.servers import Served, eventually, serving
from tests.wire.test_bounds import colliding_step

TOKEN = "right"
HEAD = f"POST /exchange HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n"
MANY = 64 << 20  # bytes; what is taken without a limit takes all of them


@pytest.fixture
def guarded() -> Iterator[Served]:
    with serving(THREADED, token=TOKEN) as served:
        yield served


@contextmanager
def client(served: Served, transport: str = "websocket") -> Iterator[OpenEnvGym]:
    env = OpenEnvGym(
        THREADED, transport=transport, url=served.url(transport), token=TOKEN, timeout=60.0
    )
    try:
        env.reset()
        yield env
    finally:
        env.close()


@contextmanager
def stranger(served: Served, said: bytes = b"") -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", served.port), timeout=60.0) as sock:
        sock.sendall(said)
        yield sock


def sent_until_cut_off(sock: socket.socket, data: bytes) -> int:
    """Sends the same again and again, and reads; gives how many bytes were taken."""
    sent = 0
    with contextlib.suppress(OSError):
        while sent < MANY:
            sock.sendall(data)
            sent += len(data)
    return sent


def hung_up(sock: socket.socket) -> bool:
    """Whether the server has hung up, or does so within a moment."""
    sock.settimeout(0.05)
    try:
        return not sock.recv(1 << 16)
    except TimeoutError:
        return False
    except OSError:
        return True


@pytest.mark.parametrize(
    ("begin", "more"),
    [
        ("GET /health HTTP/1.1\r\nHost: x\r\nX-A: ", b"a" * (1 << 16)),
        ("GET /health HTTP/1.1\r\nHost: x\r\n", b"X-A: " + b"b" * 100 + b"\r\n"),
        ("GET /", b"a" * (1 << 16)),
        ("", b"\r\n" * (1 << 15)),
        (HEAD + "Content-Length: 60000000\r\n\r\n", b"x" * (1 << 16)),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b"x" * (1 << 16) + b"\r\n"),
        (HEAD + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", b"X-A: b\r\n" * 10_000),
    ],
    ids=["one header", "headers", "address", "nothing", "body", "chunks", "trailers"],
)
@pytest.mark.parametrize("token", [TOKEN, None])
def test_requests_without_an_end(begin: str, more: bytes, token: str | None) -> None:
    with (
        serving(THREADED, token=token) as served,
        client(served) as env,
        stranger(served, begin.encode()) as sock,
    ):
        assert sent_until_cut_off(sock, more) < 16 << 20
        assert env.step(COUNT)[0]["count"] == 1


def test_silent_strangers_make_room(guarded: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many the oldest are hung up, and whoever has the token finds a place."""
    monkeypatch.setattr(connections, "_SOFT", 8)
    monkeypatch.setattr(connections, "_HARD", 16)
    with serving(THREADED, token=TOKEN) as served, ExitStack() as stack, client(served) as before:
        strangers = [stack.enter_context(stranger(served, b"GET /he")) for _ in range(60)]
        for transport in ("websocket", "http"):
            with client(served, transport) as env:
                assert env.step(COUNT)[0]["count"] == 1
        assert before.step(COUNT)[0]["count"] == 1
        eventually(lambda: sum(not hung_up(sock) for sock in strangers) <= 16)
        assert hung_up(strangers[0])


@pytest.mark.parametrize(
    "said", ["", "GET /health", HEAD + "Content-Length: 9\r\n\r\nx"], ids=["", "head", "body"]
)
def test_slow_strangers_are_hung_up(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.2)
    with serving(THREADED) as served, stranger(served, said.encode()) as sock:
        assert sock.recv(1 << 16) == b""


def test_a_websocket_without_a_session_is_hung_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.2)
    shake = (
        "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Protocol: openenv-gym.1\r\n\r\n"
    )
    with serving(THREADED) as served, stranger(served, shake.encode()) as sock:
        assert sock.recv(1 << 16).startswith(b"HTTP/1.1 101")
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(1 << 16) == b""


@pytest.mark.parametrize("transport", ["websocket", "http"])
@pytest.mark.parametrize("token", [TOKEN, None])
def test_clients_may_be_slow(
    transport: str, token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has a session keeps the connection, and is not counted."""
    monkeypatch.setattr(connections, "FIRST_REQUEST", 0.2)
    monkeypatch.setattr(connections, "_SOFT", 2)
    monkeypatch.setattr(connections, "_HARD", 2)
    with serving(THREADED, token=token) as served, ExitStack() as stack:
        clients = [stack.enter_context(client(served, transport)) for _ in range(4)]
        files = [env.link.fileno() for env in clients]
        ends = [socket.socket(fileno=file) for file in files]
        names = [end.getsockname() for end in ends]
        for end in ends:
            end.detach()
        with stranger(served) as silent:
            assert silent.recv(1) == b""  # so the time of strangers is over
        for env, name in zip(clients, names, strict=True):
            assert env.step(COUNT)[0]["count"] == 1
            end = socket.socket(fileno=env.link.fileno())
            assert end.getsockname() == name
            end.detach()


def test_requests_that_do_not_wait_for_replies() -> None:
    with serving(THREADED) as served, stranger(served) as sock:
        sock.sendall(b"GET /metadata HTTP/1.1\r\nHost: x\r\n\r\n" * 1000)
        replies = b""
        with contextlib.suppress(ConnectionResetError):
            while data := sock.recv(1 << 16):
                replies += data
        assert replies.count(b"HTTP/1.1 200") < 20


def test_frames_that_do_not_wait_for_replies() -> None:
    with serving(INLINE) as served:
        env = OpenEnvGym(INLINE, transport="websocket", url=served.url("websocket"))
        try:
            env.reset()
            step = encode(Step(COUNT, id=3))
            connection = env.link._connection
            from openenv_gym.wire.websocket_frames import masked

            connection._socket.sendall(masked(step) * (2 * _MAX_FRAMES))
            data = b""
            while chunk := connection._socket.recv(1 << 16):
                data += chunk
            assert b"wait for the replies" in data
        finally:
            env.close()


def test_pings_of_a_client_that_does_not_read() -> None:
    """Their answers are not piled up: the server stops reading."""
    with serving(INLINE) as served:
        env = OpenEnvGym(INLINE, transport="websocket", url=served.url("websocket"))
        try:
            env.reset()
            sock = env.link._connection._socket
            ping = b"\x89\xfd\0\0\0\0" + b"x" * 125
            sock.settimeout(2.0)
            assert sent_until_cut_off(sock, ping * 200) < MANY  # none are taken any more
        finally:
            env.close()


def test_a_request_to_no_session_is_not_decoded(guarded: Served) -> None:
    """Only Open is: the others may be anything, and from anybody."""
    headers = {
        "Content-Type": CONTENT_TYPE,
        "X-Session-ID": "a" * 32,
        "Authorization": f"Bearer {TOKEN}",
    }
    began = time.monotonic()
    reply = httpx.post(
        f"{guarded.url('http')}/exchange",
        content=colliding_step(40_000, id=7),
        headers=headers,
        timeout=60.0,
    )
    failure = decode(reply.content)
    assert isinstance(failure, Failure)
    assert (failure.kind, failure.id) == ("SessionLostError", 7)
    assert time.monotonic() - began < 20.0  # it took minutes


@pytest.mark.parametrize("transport", ["websocket", "http"])
def test_clients_go_on_while_strangers_send_garbage(guarded: Served, transport: str) -> None:
    """The strangers' requests wait: all are answered, or hung up, and no step is lost."""
    with client(guarded, transport) as env, ExitStack() as stack:
        for number in range(200):
            sock = stack.enter_context(stranger(guarded))
            sock.sendall(b"\x00nonsense\r\n\r\n" if number % 2 else HEAD.encode() + b"\r\n")
            assert env.step(COUNT)[0]["count"] == number + 1


def test_open_is_decoded_with_a_limit() -> None:
    with serving(THREADED) as served:
        big = encode(Open(None, {"text": "x" * (2 << 20)}, id=1))
        with contextlib.suppress(httpx.TransportError):
            reply = httpx.post(
                f"{served.url('http')}/exchange",
                content=big,
                headers={"Content-Type": CONTENT_TYPE},
            )
            assert reply.status_code >= 400
        assert len(served.sessions) == 0
