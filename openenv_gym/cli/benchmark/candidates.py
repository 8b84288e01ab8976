"""The candidates: our transports, gymnasium by itself, and what bytes alone cost."""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import os
import socket
import subprocess
import sys
from abc import abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from openenv_gym import registry
from openenv_gym.cli.benchmark import echo
from openenv_gym.cli.benchmark.cpu import work
from openenv_gym.cli.benchmark.measure import Candidate, UnavailableError
from openenv_gym.cli.benchmark.workloads import Workload, make_ours, register
from openenv_gym.errors import OpenEnvGymError
from openenv_gym.sessions.session import Session
from openenv_gym.wire.busy_wait import LIMIT, SPIN
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import Open, Reset, Step

_ACTIONS = 1024
_CLOSE_LIMIT = 5.0
_ALSO_ASLEEP = ("process", "websocket")


class Stepped(Candidate):
    """A ``gymnasium.Env``.

    Args:
        name: How it is called.
        make: Makes it.
        masked: Actions are taken from the mask in the info; else any will do.
    """

    def __init__(
        self, name: str, make: Callable[[], gymnasium.Env[Any, Any]], *, masked: bool = False
    ) -> None:
        self.name = name
        self._make = make
        self._masked = masked
        self._env: gymnasium.Env[Any, Any] | None = None

    def start(self) -> None:
        """Implements Candidate.start."""
        try:
            self._env = env = self._make()
            _, self._info = env.reset(seed=0)
        except OpenEnvGymError as error:
            raise UnavailableError(str(error)) from error
        env.action_space.seed(0)
        # As agents have them: numpy's integers, not Python's.
        self._actions = [env.action_space.sample() for _ in range(_ACTIONS)]
        self._random = np.random.default_rng(0)
        if self._masked or self.pause:
            self.passes = 1
        isolation: Any = getattr(env.unwrapped, "isolation", {})
        self.container = isolation.get("container")

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block."""
        env = self._env
        assert env is not None
        step, reset, clock = env.step, env.reset, perf_counter_ns
        times = np.empty(steps, np.int64)
        resetting = 0
        info, pause = self._info, self.pause
        for i, action in zip(range(steps), self._choices(), strict=False):
            began = clock()
            _, _, terminated, truncated, self._info = step(action)
            times[i] = clock() - began
            if terminated or truncated:
                began = clock()
                _, self._info = reset()
                resetting += clock() - began
            if pause:
                work(pause)
        if self.passes == 1:
            # To find a legal action is the agent's affair, and so is the pause.
            return times, (int(times.sum()) + resetting) / 1e9
        actions = list(itertools.islice(itertools.cycle(self._actions), steps))
        begin = perf_counter()
        for action in actions:
            _, _, terminated, truncated, info = step(action)
            if terminated or truncated:
                _, info = reset()
        seconds = perf_counter() - begin
        self._info = info
        return times, seconds

    def _choices(self) -> Iterator[Any]:
        if not self._masked:
            yield from itertools.cycle(self._actions)
        while True:
            yield self._random.choice(np.flatnonzero(self._info["action_mask"]))

    def close(self) -> None:
        """Implements Candidate.close."""
        if self._env is not None:
            self._env.close()


def ours(
    workload: Workload, transport: str, *, unwrapped: bool = False, asleep: bool = False
) -> Candidate:
    """An environment of ours over a transport.

    Args:
        workload: What is stepped.
        transport: Its name.
        unwrapped: Without the wrappers of ``gymnasium.make``.
        asleep: Both ends sleep while they wait.
    """

    def make() -> gymnasium.Env[Any, Any]:
        with _sleeping() if asleep else contextlib.nullcontext():
            env = make_ours(workload, transport)
        return env.unwrapped if unwrapped else env

    name = f"{transport} asleep" if asleep else transport
    return Stepped(name, make, masked=workload.plain is None)


@contextlib.contextmanager
def _sleeping() -> Iterator[None]:
    before = os.environ.get(SPIN)
    os.environ[SPIN] = "0"
    try:
        yield
    finally:
        del os.environ[SPIN]
        if before is not None:
            os.environ[SPIN] = before


def plain(workload: Workload, *, unwrapped: bool = False) -> Candidate:
    """The same environment as a plain ``gymnasium.Env``, without us."""
    id = workload.plain
    assert id is not None, "there is a plain twin"

    def make() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(id)
        return env.unwrapped if unwrapped else env

    return Stepped("gymnasium", make)


class Lane(gymnasium.Env[Any, Any]):
    """An AsyncVectorEnv of one environment, stepped as one.

    Args:
        id: Id of the environment.
    """

    def __init__(self, id: str) -> None:
        self._envs = gymnasium.vector.AsyncVectorEnv(
            [functools.partial(_make_plain, id)], context="spawn"
        )
        self.action_space = self._envs.action_space
        self.observation_space = self._envs.observation_space

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Implements gymnasium.Env.reset."""
        return self._envs.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Implements gymnasium.Env.step; the vector environment resets by itself."""
        observation, reward, _, _, info = self._envs.step(action)
        return observation, reward, False, False, info

    def close(self) -> None:
        """Implements gymnasium.Env.close."""
        self._envs.close()


def adapted(workload: Workload, *, unwrapped: bool = False) -> Candidate:
    """The plain ``gymnasium.Env`` as an environment of ours, in process."""
    id = workload.adapted
    assert id is not None, "it can be adapted"

    def make() -> gymnasium.Env[Any, Any]:
        env = gymnasium.make(id, transport="inprocess")
        return env.unwrapped if unwrapped else env

    return Stepped("inprocess adapted", make)


def vector(workload: Workload) -> Candidate:
    """The plain environment in gymnasium's ``AsyncVectorEnv``, alone."""
    id = workload.plain
    assert id is not None, "there is a plain twin"
    return Stepped("AsyncVectorEnv", lambda: Lane(id))


def _make_plain(id: str) -> gymnasium.Env[Any, Any]:
    register()
    return gymnasium.make(id)


class Exchange(Candidate):
    """A round trip without an environment: no actions, no episodes."""

    def block(self, steps: int) -> tuple[NDArray[np.int64], float]:
        """Implements Candidate.block."""
        exchange, clock, pause = self.exchange, perf_counter_ns, self.pause
        self.passes = 1 if pause else 2
        times = np.empty(steps, np.int64)
        for i in range(steps):
            began = clock()
            exchange()
            times[i] = clock() - began
            if pause:
                work(pause)
        if pause:
            return times, int(times.sum()) / 1e9
        begin = perf_counter()
        for _ in range(steps):
            exchange()
        return times, perf_counter() - begin

    @abstractmethod
    def exchange(self) -> None:
        """One round trip."""


class RawEcho(Exchange):
    """As many bytes as our messages have, there and back, between two processes.

    Args:
        family: ``"tcp"`` or ``"unix"``.
        request: Bytes of a request.
        reply: Bytes of a reply.
        awake: Microseconds for which both ends wait awake before they sleep.
    """

    def __init__(self, family: str, request: int, reply: int, awake: int = 0) -> None:
        self.name = f"raw {family}" + (" awake" if awake else "")
        self._awake = awake
        self._family = family
        self._request = bytes(request)
        self._view = memoryview(bytearray(reply))
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Implements Candidate.start."""
        self._socket, theirs = _pair(self._family)
        with theirs:
            words = [theirs.fileno(), len(self._request), len(self._view), self._awake]
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(Path(echo.__file__)), *map(str, words)],
                pass_fds=[theirs.fileno()],
            )
        self._receiver = echo.Receiver(self._socket, self._awake)
        self.exchange()

    def exchange(self) -> None:
        """Implements Exchange.exchange."""
        assert self._socket is not None
        self._socket.sendall(self._request)
        if not self._receiver.fill(self._view):
            raise EOFError("the other end is gone")

    def close(self) -> None:
        """Implements Candidate.close."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.wait(_CLOSE_LIMIT)


def _pair(family: str) -> tuple[socket.socket, socket.socket]:
    """Two connected sockets."""
    if family == "unix":
        return socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs = listener.accept()[0]
    for sock in (ours, theirs):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


class Pickled(Exchange):
    """The plain environment behind a ``multiprocessing.Pipe``, as vector environments do it.

    Args:
        workload: What is stepped.
    """

    name = "multiprocessing.Pipe"

    def __init__(self, workload: Workload) -> None:
        assert workload.plain is not None, "there is a plain twin"
        self._id = workload.plain
        self._process: Any = None

    def start(self) -> None:
        """Implements Candidate.start."""
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_step_for, args=(theirs, self._id), daemon=True)
        self._process.start()
        theirs.close()
        self._pipe.recv()
        self._action = np.int64(1)

    def exchange(self) -> None:
        """Implements Exchange.exchange."""
        self._pipe.send(("step", self._action))
        self._pipe.recv()

    def close(self) -> None:
        """Implements Candidate.close."""
        if self._process is not None:
            self._pipe.close()
            self._process.join(_CLOSE_LIMIT)


def _step_for(pipe: Any, id: str) -> None:
    """The process behind the pipe."""
    env = _make_plain(id)
    pipe.send(env.reset(seed=0))
    with contextlib.suppress(EOFError):
        while True:
            _, action = pipe.recv()
            observation, reward, terminated, truncated, info = env.step(action)
            if terminated or truncated:
                observation, info = env.reset()
            pipe.send((observation, reward, terminated, truncated, info))


def sizes(workload: Workload) -> tuple[int, int]:
    """Bytes of an encoded step of a workload, and of its result."""
    session = Session()
    name = gymnasium.spec(workload.id).kwargs["environment"]
    session.handle(Open(registry.environment(name).name, dict(workload.options)))
    result: Any = session.handle(Reset(0))
    mask = result.info.get("action_mask")
    action = np.int64(0 if mask is None else np.flatnonzero(mask)[0])
    step = Step(action)
    step.id = 1000  # as many bytes as most of them have
    result = session.handle(step)
    result.id = step.id
    session.close()
    return len(encode(step)), len(encode(result))


def local(workload: Workload, transports: list[str], *, unwrapped: bool = False) -> list[Candidate]:
    """All candidates that need nothing but this package."""
    request, reply = sizes(workload)
    candidates: list[Candidate] = [
        RawEcho(family, request, reply, awake)
        for awake in (0, round(LIMIT * 1e6))
        for family in ("unix", "tcp")
    ]
    if workload.plain is not None:
        candidates.append(plain(workload, unwrapped=unwrapped))
        candidates += [Pickled(workload), vector(workload)]
    if workload.adapted is not None:
        candidates.append(adapted(workload, unwrapped=unwrapped))
    candidates += [ours(workload, name, unwrapped=unwrapped) for name in transports]
    return candidates + [
        ours(workload, name, unwrapped=unwrapped, asleep=True)
        for name in _ALSO_ASLEEP
        if name in transports
    ]
