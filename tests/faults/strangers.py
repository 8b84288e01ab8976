"""Requests that are not requests, and connections that never finish one."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from openenv_gym.env import OpenEnvGym
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import Close, GetState, Open, Query, Render, Request, Reset, Step
from openenv_gym.wire.names import CONTENT_TYPE, SUBPROTOCOL
from openenv_gym.wire.websocket_frames import masked
from tests.environments import COUNT

FACES = ("websocket", "http", "openenv websocket", "openenv http")

_AHEAD = 20  # requests of one connection
_AT_ONCE = 4  # connections
_PATIENCE = 30.0

_SHAKE = (
    "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
_PING, _PONG = b"\x89\x84\0\0\0\0last", b"\x8a\x04last"
_JSON = (
    b'{"type":"reset","data":{"seed":1}}',
    b'{"type":"step","data":{"action":0}}',
    b'{"type":"state"}',
    b'{"type":"close"}',
    b'{"action":{"action":0},"timeout_s":1}',
    b'{"seed":1,"episode_id":"a"}',
)
_ROUTES = ("/reset", "/step", "/state", "/exchange", "/mcp", "/schema", "/close", "/nowhere")


def requests(rng: random.Random) -> Iterator[bytes]:
    """Yield messages of ours that something has happened to, without an end."""
    messages: tuple[Request, ...] = (
        Open("echo", {"a": [1, 2.5, None]}, id=1),
        Reset(1, {"x": "y"}, id=2),
        Step(COUNT, id=3),
        Render(id=4),
        GetState(id=5),
        Query("tasks", {}, id=6),
        Close(id=7),
    )
    whole = [*map(encode, messages)]
    while True:
        yield _spoiled(rng, rng.choice(whole))


def texts(rng: random.Random) -> Iterator[bytes]:
    """Yield messages of OpenEnv that something has happened to, without an end."""
    while True:
        yield _spoiled(rng, rng.choice(_JSON))


def _spoiled(rng: random.Random, data: bytes) -> bytes:
    """Return a message with some bytes changed, cut off, repeated or put in; or anything."""
    kind = rng.randrange(5)
    at = rng.randrange(len(data))
    if kind == 0:
        return rng.randbytes(rng.randrange(200))
    if kind == 1:
        return data[:at]
    if kind == 2:
        return data[:at] + rng.randbytes(rng.randrange(1, 9)) + data[at:]
    if kind == 3:
        return data * rng.randrange(2, 5)
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 5)):
        changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def send_malformed(port: int, face: str, count: int, *, seed: int = 0) -> int:
    """Send so many malformed requests to a face of a server; return how many it took."""
    shares = [count // _AT_ONCE + (number < count % _AT_ONCE) for number in range(_AT_ONCE)]
    seeds = [seed * _AT_ONCE + number for number in range(_AT_ONCE)]
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # one after another is answered after a pause
        return sum(
            pool.map(_send_some, itertools.repeat(port), itertools.repeat(face), shares, seeds)
        )


def _send_some(port: int, face: str, count: int, seed: int) -> int:
    rng, sent = random.Random(seed), 0
    while sent < count:
        batch = min(_AHEAD, count - sent)
        with contextlib.suppress(OSError), _connection(port) as sock:
            if face.endswith("websocket"):
                _send_frames(sock, face, batch, rng)
            else:
                _send_posts(sock, face, batch, rng)
        sent += batch  # what follows one for which the server hung up is sent to nobody
    return sent


def _send_frames(sock: socket.socket, face: str, count: int, rng: random.Random) -> None:
    ours = not face.startswith("openenv")
    named = f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n" if ours else ""
    sock.sendall(f"{_SHAKE}{named}\r\n".encode())
    sock.recv(1 << 16)
    for data in itertools.islice(requests(rng) if ours else texts(rng), count):
        frame = bytearray(masked(data))
        if not ours:
            frame[0] = 0x81
        if rng.randrange(8) == 0:  # of the frame itself too
            frame[rng.randrange(min(4, len(frame)))] = rng.randrange(256)
        sock.sendall(frame)
    sock.sendall(_PING)  # answered after all before it
    data = b""
    while chunk := sock.recv(1 << 16):
        data += chunk
        if _PONG in data:
            break


def _send_posts(sock: socket.socket, face: str, count: int, rng: random.Random) -> None:
    ours = not face.startswith("openenv")
    for data in itertools.islice(requests(rng) if ours else texts(rng), count):
        kind = CONTENT_TYPE if ours else "application/json"
        route = "/exchange" if ours else rng.choice(_ROUTES)
        head = (
            f"POST {route} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {kind}\r\n"
            f"X-Session-ID: {rng.randrange(1 << 32):032x}\r\nContent-Length: {len(data)}\r\n\r\n"
        ).encode()
        sock.sendall(_spoiled(rng, head) if rng.randrange(8) == 0 else head + data)
        if not sock.recv(1 << 16):
            return


@contextlib.contextmanager
def _connection(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as sock:
        sock.settimeout(0.5)
        yield sock


@contextlib.contextmanager
def slow_connections(port: int, count: int) -> Iterator[None]:
    """Hold so many connections, each of which sends a byte of a request now and then."""
    code = "import sys; from tests.faults.strangers import drip; drip(*map(int, sys.argv[1:]))"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(port), str(count)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ) as stranger:
        try:
            yield
        finally:
            stranger.kill()


def drip(port: int, count: int) -> None:
    """Hold connections until this process is killed; one that is hung up is replaced.

    With the lowest priority: strangers have machines of their own, and their work is not the
    server's.
    """
    os.nice(19)
    head = f"POST /exchange HTTP/1.1\r\nHost: x\r\nContent-Type: {CONTENT_TYPE}\r\n".encode()
    socks: list[socket.socket] = []
    for byte in itertools.cycle(head):
        while len(socks) < count:
            try:
                sock = socket.create_connection(("127.0.0.1", port), timeout=1.0)
            except OSError:
                break
            sock.setblocking(False)
            socks.append(sock)
        for sock in list(socks):
            try:
                sock.send(bytes([byte]))
            except BlockingIOError:
                pass
            except OSError:
                socks.remove(sock)
                sock.close()
        time.sleep(0.2)


@dataclass
class Toll:
    """What strangers cost a server.

    Attributes:
        taken: How many requests they sent.
        memory: MB that the server grew by.
        sessions: How many of its sessions were left after them.
        rate: What an authorised client had of its steps per second meanwhile: 1 is all.
    """

    taken: int
    memory: float
    sessions: int
    rate: float


def resident(pid: int) -> float:
    """Return the MB of memory that a process has."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def steps_per_second(env: OpenEnvGym, seconds: float) -> float:
    """Return how fast an environment is stepped for so long."""
    env.reset(seed=1)
    started, steps = time.monotonic(), 0
    while (took := time.monotonic() - started) < seconds:
        env.step(COUNT)
        steps += 1
    return steps / took


def under_attack(
    pid: int,
    port: int,
    face: str,
    malformed: int,
    slow: int,
    *,
    seconds: float = 5.0,
    seed: int = 2,
) -> Toll:
    """Measure what strangers cost a server while a client of it makes steps.

    Args:
        pid: Of the server.
        port: Of the server.
        face: Where the malformed requests go.
        malformed: How many of them.
        slow: How many connections send a byte now and then.
        seconds: How long the client makes steps, alone and beside them.
        seed: That of the malformed requests.
    """
    env = OpenEnvGym(None, transport="websocket", url=f"ws://127.0.0.1:{port}")
    try:
        steps_per_second(env, 0.3)
        alone = steps_per_second(env, seconds)
        send_malformed(port, face, min(500, malformed), seed=1)  # what is loaded once is no loss
        before = resident(pid)
        with slow_connections(port, slow):
            time.sleep(1.0)
            beside = steps_per_second(env, seconds)
        taken = send_malformed(port, face, malformed, seed=seed)
        memory = resident(pid) - before
    finally:
        env.close()
    return Toll(taken, memory, _sessions(port), beside / alone)


def _sessions(port: int) -> int:
    """Return how many sessions a server has, once those that ended are gone."""
    for _ in range(450):  # one that a client left ends after a minute
        reply = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=_PATIENCE)
        found = re.search(r"^openenv_gym_sessions\{.*\} (\d+)", reply.text, re.M)
        assert found, reply.text[:500]
        if not (count := int(found[1])):
            return 0
        time.sleep(0.2)
    return count
