"""Servers that mean harm: each costs no more than its time limit, and little memory."""

from __future__ import annotations

import base64
import hashlib
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from typing import Any

import msgspec
import pytest

from openenv_gym.env import OpenEnvGym
from openenv_gym.errors import (
    CodecError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    ProtocolError,
    SpaceError,
    TransportError,
)
from openenv_gym.spaces import description_size
from openenv_gym.wire.messages import Description, Failure, Result
from openenv_gym.wire.names import CONTENT_TYPE
from openenv_gym_transports.links import wire_link


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the goodbye, which no such server answers."""
    monkeypatch.setattr(wire_link, "CLOSE_LIMIT", 0.2)


LIMIT = 1.0
LONG = 40.0  # seconds, on a busy machine; without limits it took all the time there is
MEMORY = 300 << 20

HEAD = f"HTTP/1.1 200 OK\r\nContent-Type: {CONTENT_TYPE}\r\n".encode()
DISCRETE = {"type": "Discrete", "n": 2}

Harm = Callable[[socket.socket], None]


def again(data: bytes, pause: float = 0.0) -> Harm:
    """Send the same for as long as it is taken."""

    def harm(sock: socket.socket) -> None:
        while True:
            sock.sendall(data)
            time.sleep(pause)

    return harm


def after(begin: bytes, then: Harm) -> Harm:
    def harm(sock: socket.socket) -> None:
        sock.sendall(begin)
        then(sock)

    return harm


def silence(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


@contextmanager
def serving(harm: Harm) -> Iterator[int]:
    """Serve each connection with it, after the head of a request; gives the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as stack:

        def serve(sock: socket.socket) -> None:
            with suppress(OSError):
                harm(sock)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    stack.enter_context(sock)
                    stack.callback(sock.close)
                    stack.callback(_shut, sock)
                    thread = threading.Thread(target=serve, args=(sock,))
                    threads.append(thread)
                    thread.start()

        threads = [threading.Thread(target=accept)]
        threads[0].start()
        try:
            yield listener.getsockname()[1]
        finally:
            _shut(listener)
            threads[0].join(10.0)
            stack.close()
            for thread in threads:
                thread.join(10.0)


def _shut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def head_of(sock: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += (piece := sock.recv(1 << 16))
        if not piece:
            raise ConnectionResetError
    return data


def frame(data: bytes, code: int = 0x82) -> bytes:
    return bytes([code, 127]) + struct.pack("!Q", len(data)) + data


def description(space: Any, id: int = 1) -> bytes:
    return msgspec.msgpack.encode(Description("evil", space, DISCRETE, {}, id=id))


def costs(transport: str, harm: Harm, error: type[Exception]) -> Exception:
    """Make an environment there: it fails in time, with an error of ours, in little memory."""

    def speak(sock: socket.socket) -> None:
        if transport == "websocket":
            data = head_of(sock)
            line = next(
                part
                for part in data.split(b"\r\n")
                if part.lower().startswith(b"sec-websocket-key")
            )
            digest = hashlib.sha1(line.partition(b":")[2].strip() + GUID)
            accept = base64.b64encode(digest.digest())
            sock.sendall(
                b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept + b"\r\n"
                b"Sec-WebSocket-Protocol: openenv-gym.1\r\n\r\n"
            )
            sock.recv(1 << 16)  # Open
        else:
            head_of(sock)
        harm(sock)

    with serving(speak) as port:
        scheme = {"websocket": "ws", "http": "http"}[transport]
        # Where it is not the limit that ends it, a busy machine has time.
        limit = LIMIT if issubclass(ExchangeTimeoutError, error) else LONG / 2
        began = time.monotonic()
        tracemalloc.start()
        try:
            with pytest.raises(error) as caught:
                _play(transport, f"{scheme}://127.0.0.1:{port}", limit)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert isinstance(caught.value, OpenEnvGymError)
        assert time.monotonic() - began < LONG
        assert peak < MEMORY
        return caught.value


def _play(transport: str, url: str, limit: float) -> None:
    options = {"start_timeout": limit}
    env = OpenEnvGym(
        "openenv_gym:any", transport=transport, url=url, timeout=limit, transport_options=options
    )
    with closing(env):
        env.reset()


GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
BLOB = b"x" * (1 << 20)

OVER_HTTP: dict[str, tuple[Harm, type[Exception]]] = {
    "a length of 3 GB": (
        after(HEAD + b"Content-Length: 3000000000\r\n\r\n", silence),
        ProtocolError,
    ),
    "a length of 1 GB": (
        after(HEAD + b"Content-Length: 1000000000\r\n\r\n", silence),
        ExchangeTimeoutError,
    ),
    "chunks": (
        after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", again(b"100000\r\n" + BLOB + b"\r\n")),
        TransportError,
    ),
    "a byte now and then": (
        after(HEAD + b"Content-Length: 100000\r\n\r\n", again(b"x", 0.1)),
        ExchangeTimeoutError,
    ),
    "a header now and then": (
        after(b"HTTP/1.1 200 OK\r\n", again(b"X-A: b\r\n", 0.1)),
        TransportError,
    ),
    "a redirect": (
        after(
            b"HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n", silence
        ),
        TransportError,
    ),
    "100 Continue": (again(b"HTTP/1.1 100 Continue\r\n\r\n", 0.02), ExchangeTimeoutError),
    "an endless error": (
        after(b"HTTP/1.1 500 X\r\nContent-Length: 20000000000\r\n\r\n", again(BLOB)),
        TransportError,
    ),
}

OVER_WEBSOCKET: dict[str, tuple[Harm, type[Exception]]] = {
    "a length of 1 GB": (
        after(b"\x82\x7f" + struct.pack("!Q", (1 << 30) - 1), silence),
        ExchangeTimeoutError,
    ),
    "a length of 8 EiB": (
        after(b"\x82\x7f" + struct.pack("!Q", (1 << 63) - 1), silence),
        TransportError,
    ),
    "a message of a million arrays": (after(frame(b"\x91" * 1_000_000), silence), CodecError),
    "fragments": (after(frame(b"x", 0x02), again(frame(BLOB, 0x00))), TransportError),
    "pings": (again(bytes([0x89, 100]) + b"x" * 100, 0.01), ExchangeTimeoutError),
    "replies to others": (
        again(frame(description(DISCRETE, id=99)), 0.01),
        ExchangeTimeoutError,
    ),
    "a byte now and then": (
        after(b"\x82\x7f" + struct.pack("!Q", 1000), again(b"x", 0.1)),
        ExchangeTimeoutError,
    ),
}

SPACES: dict[str, Any] = {
    "Box": {"type": "Box", "low": 0, "high": 1, "shape": [10**9], "dtype": "uint8"},
    "Box of texts": {"type": "Box", "low": 0, "high": 1, "shape": [1], "dtype": "S2000000000"},
    "Box of objects": {"type": "Box", "low": 0, "high": 1, "shape": [1], "dtype": "O"},
    "Box of bytes": {"type": "Box", "low": 0, "high": 1, "shape": [1], "dtype": "V1000000000"},
    "MultiBinary": {"type": "MultiBinary", "n": [10**5, 10**5]},
    "Utf8": {"type": "Utf8", "max_length": 2**40, "min_length": 2**39},
    "Text": {"type": "Text", "max_length": 10**12, "charset": "ab"},
}


def nested(code: int, depth: int) -> bytes:
    """Return an extension type within an array, within an extension type, and so on."""
    data = msgspec.msgpack.encode([])
    for _ in range(depth):
        data = b"\xc9" + struct.pack("!IB", len(data) + 1, code) + b"\x91" + data
    return data


def array(dtype: str, shape: tuple[int, ...]) -> bytes:
    head = msgspec.msgpack.encode((dtype, shape))
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(1, bytes([len(head)]) + head + bytes(8)))


def colliding(count: int) -> bytes:
    """Return a set of numbers that all have the same hash."""
    prime = (1 << 61) - 1
    numbers = [(1 << 10) * prime + number * prime for number in range(count)]
    members = [
        msgspec.msgpack.Ext(6, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))
        for number in numbers
    ]
    return msgspec.msgpack.encode(msgspec.msgpack.Ext(4, msgspec.msgpack.encode(members)))


VALUES = {
    "nested tuples": nested(3, 1000),
    "nested sets": nested(5, 1000),
    "a set of one hash": colliding(20_000),
    "an array of objects": array("|O", (1,)),
    "an array of nothing, with a shape": array("f8", (0, 10**18)),
    "an array with a shape of 2 EiB": array("u1", (2**31, 2**30)),
    "a number of 9 MB": msgspec.msgpack.encode(msgspec.msgpack.Ext(6, b"\x7f" * 9_000_000)),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    result = msgspec.msgpack.encode(Result("its place", 0.0, False, False, {}, id=2))
    reply = result.replace(msgspec.msgpack.encode("its place"), VALUES[name])

    def harm(sock: socket.socket) -> None:
        sock.sendall(frame(description(DISCRETE)))
        sock.recv(1 << 16)  # Reset
        sock.sendall(frame(reply))
        silence(sock)

    costs("websocket", harm, OpenEnvGymError)


@pytest.mark.parametrize("name", OVER_HTTP)
def test_over_http(name: str) -> None:
    costs("http", *OVER_HTTP[name])


@pytest.mark.parametrize("name", OVER_WEBSOCKET)
def test_over_a_websocket(name: str) -> None:
    costs("websocket", *OVER_WEBSOCKET[name])


@pytest.mark.parametrize("name", SPACES)
def test_spaces_that_are_too_large(name: str) -> None:
    costs("websocket", after(frame(description(SPACES[name])), silence), SpaceError)


@pytest.mark.parametrize("name", ["SystemExit", "MissingDependencyError", "__class__", ""])
def test_failures_of_any_name(name: str) -> None:
    fields = {"args": 1, "fields": 2, "__class__": "x", "with_traceback": None}
    failure = msgspec.msgpack.encode(Failure(name, "\x1b[31mred", fields, id=1))
    error = costs("websocket", after(frame(failure), silence), OpenEnvGymError)
    assert "\x1b" not in str(error)  # a terminal would obey it


def test_spaces_that_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(description_size, "MAX_SPACES", 1000)
    space = {"type": "Tuple", "spaces": [DISCRETE] * 1001}
    costs("websocket", after(frame(description(space)), silence), SpaceError)


def test_spaces_that_are_too_deep() -> None:
    space: Any = DISCRETE
    for _ in range(150):
        space = {"type": "Tuple", "spaces": [space]}
    costs("websocket", after(frame(description(space)), silence), SpaceError)


def test_metadata_that_are_too_many() -> None:
    described = Description("evil", DISCRETE, DISCRETE, {"render_modes": ["x"] * 10**5}, id=1)
    data = msgspec.msgpack.encode(described)
    costs("websocket", after(frame(data), silence), OpenEnvGymError)


def test_metadata_that_are_none() -> None:
    described = Description("evil", DISCRETE, DISCRETE, {"render_modes": 5}, id=1)
    data = msgspec.msgpack.encode(described)
    costs("websocket", after(frame(data), silence), ProtocolError)
