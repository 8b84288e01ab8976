"""Time of each layer of a step, and of each phase of a start, taken in the running processes.

Wrappers around the boundaries of the layers note how long each took by itself, without what it
called. ``python -m probe serve ...`` is ``openenv-gym serve ...`` with these in place. Its figures
travel to the client as part of the environment's state, so the messages of a step are as ever. All
clocks are the machine's CLOCK_MONOTONIC, which containers share.

This is the one file that goes into the probed image; see ``startup.py`` and ``profile_step.py``.
"""

from __future__ import annotations

import time

BEGIN = time.monotonic_ns()  # before anything else is imported

import contextlib  # noqa: E402
import functools  # noqa: E402
import importlib  # noqa: E402
import os  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

KEY = "openenv-bench-probe"
"""Name in the state under which the server's figures are."""


class Layers:
    """Self times of layers, step by step.

    Attributes:
        steps: For each step: nanoseconds by layer.
        marks: When what happened first, in CLOCK_MONOTONIC nanoseconds.
    """

    def __init__(self) -> None:
        self.steps: list[dict[str, int]] = []
        self.marks: dict[str, int] = {}
        self._inner: list[int] = []
        self._current: dict[str, int] = {}
        self._arrived = self._left = 0

    def timed(self, layer: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, counted towards a layer."""
        clock = time.monotonic_ns

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            inner = self._inner
            inner.append(0)
            began = clock()
            try:
                return function(*args, **kwargs)
            finally:
                spent = clock() - began
                self._current[layer] = self._current.get(layer, 0) + spent - inner.pop()
                if inner:
                    inner[-1] += spent

        return wrapper

    def wrap(self, layer: str, owner: Any, name: str) -> None:
        """Puts the wrapper in place of a class's method or a module's function."""
        setattr(owner, name, self.timed(layer, getattr(owner, name)))

    def cut(self) -> None:
        """Ends a step."""
        self.steps.append(self._current)
        self._current = {}

    def arrived(self) -> None:
        """A request is there, or its first part: the last step is over."""
        if self._left < self._arrived:
            return  # a further part of it
        if self._arrived:
            known = sum(self._current.values())
            self._current["server loop"] = self._left - self._arrived - known
            self.cut()
        self._current = {}
        self._arrived = time.monotonic_ns()

    def left(self) -> None:
        """A reply, or a part of it, was handed to the kernel."""
        self._left = time.monotonic_ns()

    def mark(self, name: str) -> None:
        """Notes when something happened first."""
        self.marks.setdefault(name, time.monotonic_ns())

    def ship(self) -> dict[str, Any]:
        """Return all of it; the steps begin again."""
        steps, self.steps = self.steps, []
        return {"steps": steps, "marks": self.marks}


def wrap_session(layers: Layers, environment: str) -> None:
    """Session and environment, wherever they run."""
    from openenv_gym import registry
    from openenv_gym.sessions.session import Session
    from openenv_gym.wire.messages import GetState, Open, Reset

    names = {Open: "open", Reset: "reset"}
    layers.wrap("session", Session, "step")
    handled = Session.handle

    def handle(self: Session, request: Any) -> Any:
        name = names.get(type(request))
        if name == "open":
            layers.mark("open")
            with contextlib.suppress(AttributeError):
                layers.wrap("environment", registry.load(registry.environment(environment)), "step")
        elif name:
            layers.mark(name)
        reply = handled(self, request)
        if name:
            layers.mark(f"{name} done")
        if type(request) is GetState:
            reply.state[KEY] = layers.ship()
        return reply

    Session.handle = handle  # type: ignore[method-assign]


def wrap_server(layers: Layers, environment: str, *, network: bool) -> None:
    """All layers of a server."""
    wrap_session(layers, environment)
    answer = importlib.import_module("openenv_gym.server.exchange")
    layers.wrap("decode", answer, "decode")
    layers.wrap("encode", answer, "encode")
    if network:
        _wrap_network(layers)
    else:
        _wrap_pipe(layers)


def _wrap_pipe(layers: Layers) -> None:
    from openenv_gym.wire.stream import Stream

    receive = Stream.recv_bytes
    send = layers.timed("socket", Stream.send_bytes)

    def recv_bytes(self: Stream, *args: Any) -> Any:
        data = receive(self, *args)
        layers.arrived()
        return data

    def send_bytes(self: Stream, data: Any) -> None:
        send(self, data)
        layers.left()

    Stream.recv_bytes = recv_bytes  # type: ignore[method-assign]
    Stream.send_bytes = send_bytes  # type: ignore[method-assign]


class _Transport:
    """An event loop's transport whose writes are timed."""

    def __init__(self, layers: Layers, inner: Any) -> None:
        self._inner = inner
        self._layers = layers
        self._write = layers.timed("socket", inner.write)
        self._writelines = layers.timed("socket", inner.writelines)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def write(self, data: Any) -> None:
        self._write(data)
        self._layers.left()

    def writelines(self, data: Any) -> None:
        self._writelines(data)
        self._layers.left()


def _wrap_network(layers: Layers) -> None:
    for module, name in (
        ("uvicorn.protocols.http.httptools_impl", "HttpToolsProtocol"),
        ("openenv_gym.server.uvicorn_protocols", "FrameProtocol"),
    ):
        _wrap_protocol(layers, getattr(importlib.import_module(module), name))


def _wrap_protocol(layers: Layers, cls: Any) -> None:
    made, received = cls.connection_made, cls.data_received

    def connection_made(self: Any, transport: Any) -> None:
        if not isinstance(transport, _Transport):
            transport = _Transport(layers, transport)
        made(self, transport)

    def data_received(self: Any, data: Any) -> None:
        layers.arrived()
        received(self, data)

    cls.connection_made, cls.data_received = connection_made, data_received


def _process_start() -> int:
    """Return when this process was made, as precise as the kernel says: 10 ms."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    asleep = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - time.monotonic_ns()
    return ticks - asleep


def main() -> int:
    layers = Layers()
    layers.marks.update({"process": _process_start(), "python": BEGIN})
    from openenv_gym import cli

    network = "--network" in sys.argv
    modules = ["openenv_gym.cli.serve"]
    modules += ["uvicorn", "openenv_gym.server.app"] if network else ["openenv_gym.server.pipe"]
    for module in modules:
        importlib.import_module(module)
    layers.mark("imports")
    wrap_server(layers, sys.argv[sys.argv.index("serve") + 1], network=network)
    return cli.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
