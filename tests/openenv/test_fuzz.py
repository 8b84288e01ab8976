"""Frames and requests that no client should send: each is answered as the protocol says."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests.openenv.counterparts import NESTED, SENSORS
from tests.openenv.frames import CLOSED, Fuzz, frames
from tests.servers import eventually, process

FRAMES = 20_000
AHEAD = 16
"""Frames that are sent before their replies are read."""

LIMIT = 60.0
"""Seconds to wait for an answer."""

_HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


@contextmanager
def _server(target: str, log: Path, *arguments: str) -> Iterator[int]:
    """A server in a process, which gets through it all without an unforeseen error; its port."""
    with process(target, "--max-sessions", "4", *arguments, log=log) as (child, port):
        yield port
        assert child.poll() is None, "the server died"
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module", params=["nested", "sensors"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, int]]:
    """The kind of environment, inline or not, and the port of its server."""
    target = {"nested": NESTED, "sensors": SENSORS}[request.param]
    with _server(target, tmp_path_factory.mktemp("log") / "log") as port:
        yield request.param, port


@contextmanager
def _connected(port: int) -> Iterator[ClientConnection]:
    url = f"ws://127.0.0.1:{port}/ws"
    with connect(
        url, compression=None, max_size=None, proxy=None, open_timeout=LIMIT
    ) as connection:
        connection.send('{"type":"reset"}')
        reply = json.loads(connection.recv(LIMIT))
        assert reply["type"] == "observation", reply
        yield connection


def _kind(reply: dict[str, Any]) -> str:
    assert reply.keys() == {"type", "data"}
    if reply["type"] != "error":
        return str(reply["type"])
    assert isinstance(reply["data"]["message"], str)
    return str(reply["data"]["code"])


class _Conversation:
    """A connection, and whether an episode is running."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._running = True

    def exchange(self, batch: list[Fuzz]) -> bool:
        """Sends a batch, of which only the last may end the connection, and checks the replies.

        Returns:
            The conversation goes on.
        """
        for fuzz in batch:
            self._connection.send(fuzz.frame)
        ends = None
        for fuzz in batch:
            ends = self._check(fuzz)
        if ends is None:
            return True
        with pytest.raises(ConnectionClosed) as caught:
            self._connection.recv(LIMIT)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == ends
        return False

    def _check(self, fuzz: Fuzz) -> int | None:
        """Checks one reply; with which code the connection is to end now."""
        if fuzz.expected == CLOSED:
            return fuzz.ends
        text = self._connection.recv(LIMIT)
        reply = json.loads(text)
        expected = fuzz.expected.split("|")
        if fuzz.steps and not self._running:
            expected = ["EXECUTION_ERROR"]
        kind = _kind(reply)
        assert kind in expected, (fuzz.frame[:500], text[:500])
        if kind == "observation":
            self._running = not reply["data"]["done"]
        self._running = self._running and not fuzz.stops
        return 1000 if kind == "SESSION_ERROR" else fuzz.ends


def _batches(count: int, environment: str) -> Iterator[list[Fuzz]]:
    batch: list[Fuzz] = []
    for fuzz in frames(20, count, environment):
        batch.append(fuzz)
        if len(batch) == AHEAD or fuzz.ends is not None or "|SESSION" in fuzz.expected:
            yield batch
            batch = []
    if batch:
        yield batch


def test_frames(server: tuple[str, int]) -> None:
    environment, port = server
    batches = _batches(FRAMES // 2, environment)
    asked, ended = 0, False
    while not ended:
        with _connected(port) as connection:
            conversation = _Conversation(connection)
            for batch in batches:
                asked += len(batch)
                if not conversation.exchange(batch):
                    break
            else:
                ended = True
    assert asked == FRAMES // 2
    _good_clients(environment, port)


def _is_free(port: int) -> bool:
    """A session can be had."""
    url = f"ws://127.0.0.1:{port}/ws"
    with connect(url, compression=None, proxy=None, open_timeout=LIMIT) as connection:
        with suppress(ConnectionClosed):  # by a server that has no more
            connection.send('{"type":"state"}')
        return bool(json.loads(connection.recv(LIMIT))["type"] == "state")


def _good_clients(environment: str, port: int) -> None:
    """As many clients as the server has sessions: none of them was lost."""
    action = {"nested": {"by": {"x": 1, "y": 1}}, "sensors": {"gain": 1}}[environment]
    with ExitStack() as stack:
        for _ in range(4):
            connection = stack.enter_context(_connected(port))
            connection.send(json.dumps({"type": "step", "data": action}))
            assert json.loads(connection.recv(LIMIT))["type"] == "observation"


def test_a_huge_frame(server: tuple[str, int]) -> None:
    environment, port = server
    with _connected(port) as connection:
        connection.send(json.dumps({"type": "step", "data": {"x": "y" * (1 << 24)}}))
        with pytest.raises(ConnectionClosed, match="1009"):
            connection.recv(LIMIT)
    _good_clients(environment, port)


def test_a_frame_that_is_not_read_to_its_end(server: tuple[str, int]) -> None:
    environment, port = server
    with _connected(port) as connection:
        with suppress(ConnectionClosed):  # while it is sending already
            connection.send("y" * ((1 << 26) + 1))
        with pytest.raises(ConnectionClosed):
            connection.recv(LIMIT)
    _good_clients(environment, port)


def test_clients_that_vanish(server: tuple[str, int]) -> None:
    environment, port = server
    source = random.Random(5)
    for fuzz in frames(6, 600, environment):
        with socket.create_connection(("127.0.0.1", port)) as raw:
            raw.sendall(_HANDSHAKE)
            if source.random() < 0.5:
                raw.recv(1 << 16)
            data = fuzz.frame.encode(errors="replace") if isinstance(fuzz.frame, str) else b"\x00"
            frame = Frame(Opcode.TEXT, data).serialize(mask=True)
            raw.sendall(frame[: source.randrange(len(frame) + 1)])
    eventually(lambda: _is_free(port))
    _good_clients(environment, port)


@pytest.mark.parametrize(
    ("target", "options"),
    [("connect4", []), ("gymnasium", ["--option", "env_id=CartPole-v1"])],
    ids=["connect4", "gymnasium"],
)
def test_requests(target: str, options: list[str], tmp_path: Path) -> None:
    """What schemathesis makes of the OpenAPI document is answered as that says."""
    patient = httpx.HTTPTransport(retries=50)
    with _server(target, tmp_path / "log", *options) as port:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(transport=patient, timeout=LIMIT) as client:
            session = client.post(f"{url}/reset").headers["x-session-id"]
        done = subprocess.run(
            [str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/openapi.json"]
            + ["--header", f"X-Session-ID: {session}", "--seed", "1", "--max-examples", "15"]
            # Pydantic takes "7" for 7, as with OpenEnv's own server.
            + ["--exclude-checks", "negative_data_rejection", "--no-color"]
            + ["--request-timeout", str(LIMIT)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=250,
        )
    assert done.returncode == 0, done.stdout[-5000:]
    assert "10 selected / 10 total" in done.stdout
