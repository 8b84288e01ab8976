"""Backends: where a server's sessions run, if not in its own process.

A backend is a transport; each session is a link of it. The server admits a client's options, so the
other end takes whatever it is asked for; it counts requests, so that each runs once; and it ends
what does not answer within its limit.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from openenv_gym import registry
from openenv_gym.errors import OpenEnvGymError, OptionError
from openenv_gym.options import checked
from openenv_gym.sessions.offer import Offer
from openenv_gym.transport import Link, LinkSettings, Transport
from openenv_gym.wire.codec import encode
from openenv_gym.wire.messages import Description, Open, OpenVector, Reply, Reset
from openenv_gym.wire.time_limits import TimeLimits

INPROCESS = "inprocess"

# Replies are passed on as they come, so all of them must be in the bytes.
_SETTINGS = LinkSettings(shared_memory=False)

_POOL = "openenv_gym_transports.links.workers:WorkerPool"


LIMITS = TimeLimits(close=10.0)
"""How long requests may take, unless the operator says otherwise."""


class Opened(NamedTuple):
    """An open link, and what its session replied so far.

    Attributes:
        link: The link.
        description: The reply to Open.
        first: The reply to a reset without a seed that was made ahead, if one was.
    """

    link: Link
    description: Description
    first: Reply | None = None


@dataclass
class Backend:
    """Opens the links of a server's sessions.

    Attributes:
        transport: How sessions are reached.
        offer: What clients may ask for.
        limits: How long requests may take.
        spare: So many sessions are opened, and reset, ahead of demand.
    """

    transport: Transport
    offer: Offer
    limits: TimeLimits = LIMITS
    spare: int = 0
    _ready: dict[bytes, list[Opened]] = field(default_factory=dict)
    _making: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False
    _last: object = None  # the session that stepped last

    def is_alone(self, session: object) -> bool:
        """Whether the session stepped last, too: others seem to have nothing to do. Notes it."""
        last, self._last = self._last, session
        return last is session

    def admit(self, request: Open | OpenVector, *, as_json: bool) -> Open | OpenVector:
        """Return what the session's process is asked for: with the server's own options.

        Raises:
            OptionError: An option is not for the client.
            RegistryError: It asks for another environment.
        """
        entry = self.offer.entry(request)
        spaces = dict(entry.spaces) or None
        if isinstance(request, OpenVector):
            request.options = [self.offer.merge(entry, given) for given in request.options]
        else:
            request.options = self.offer.merge(entry, request.options)
            request.as_json = as_json
        given = None if self.offer.owner else request.spaces or {}
        request.environment, request.spaces = entry.name, spaces
        request.actions, request.for_stranger = entry.actions, given
        return request

    def open(self, request: Open | OpenVector) -> Opened:
        """Open a link; one that was opened ahead, if there is one for such a request."""
        if not self.spare or not isinstance(request, Open):
            return self._open(request)
        id, request.id = request.id, 0
        key = encode(request)
        request.id = id
        with self._lock:
            ready = self._ready.setdefault(key, [])
            opened = ready.pop() if ready else None
        self._refill(key, request)
        return opened or self._open(request)

    def start(self) -> None:
        """Start workers, and open spare sessions of the environment as it is served."""
        with contextlib.suppress(OpenEnvGymError):  # the first session gets the error
            begin = getattr(self.transport, "start", None)
            if begin is not None:
                begin()
            if self.spare:
                request = self.admit(Open(None, {}), as_json=False)
                assert isinstance(request, Open), "as it was given"
                self._refill(encode(request), request)

    def _open(self, request: Open | OpenVector) -> Opened:
        link = self.transport.open(request, _SETTINGS)
        return Opened(link, link.description)

    def _refill(self, key: bytes, request: Open) -> None:
        """Open what is missing, on threads of their own: a session may take long to open."""
        with self._lock:
            ready = self._ready.setdefault(key, [])
            missing = self.spare - len(ready) - self._making
            self._making += max(missing, 0)
        for _ in range(missing):
            # Each has a request of its own: opening numbers it.
            own = Open(
                request.environment,
                request.options,
                request.render_mode,
                request.spaces,
                actions=request.actions,
                as_json=request.as_json,
                for_stranger=request.for_stranger,
            )
            threading.Thread(target=self._make_spare, args=(key, own), daemon=True).start()

    def _make_spare(self, key: bytes, request: Open) -> None:
        opened = None
        with contextlib.suppress(OpenEnvGymError):  # whoever asks for one gets the error
            opened = self._open(request)
            first = opened.link.exchange(Reset(None))
            opened = opened._replace(first=first)
        with self._lock:
            self._making -= 1
            if opened is not None and not self._closed:
                self._ready.setdefault(key, []).append(opened)
                return
        if opened is not None:
            opened.link.close()

    @property
    def ready(self) -> int:
        """Spare sessions that wait for a client."""
        with self._lock:
            return sum(map(len, self._ready.values()))

    def close(self) -> None:
        """Close the spare sessions, and whatever the transport holds for all of them."""
        with self._lock:
            self._closed = True
            spare = [opened for ready in self._ready.values() for opened in ready]
            self._ready.clear()
        for opened in spare:
            with contextlib.suppress(OpenEnvGymError):
                opened.link.close()
        end = getattr(self.transport, "end", None)
        if end is not None:
            end()


@dataclass(frozen=True, kw_only=True)
class BackendSettings:
    """What the operator of a server says of its backend.

    Attributes:
        name: ``inprocess``, ``process``, ``docker``, ``ray`` or another transport.
        workers: Processes that sessions are spread over, with ``process``.
        sessions_per_worker: Sessions that one of them may have; None: as many as there are.
        options: Further keywords of the transport.
        spare: Sessions that are opened ahead.
        limits: How long requests may take.
        worker_memory: Bytes that a worker may take; it is killed when it takes more.
        worker_max_steps: After so many steps a worker is replaced, once it has no sessions.
    """

    name: str = INPROCESS
    workers: int | None = None
    sessions_per_worker: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    spare: int = 0
    limits: TimeLimits = LIMITS
    worker_memory: int | None = None
    worker_max_steps: int | None = None

    def make(self, offer: Offer) -> Backend | None:
        """Return the backend; None where sessions run in the server's own process.

        Raises:
            OptionError: Something is asked for that only another backend has.
        """
        name = "process" if self.name == INPROCESS and self.workers else self.name
        pooled = {
            "workers": self.workers,
            "sessions_per_worker": self.sessions_per_worker,
            "worker_memory": self.worker_memory,
            "worker_max_steps": self.worker_max_steps,
        }
        if name == INPROCESS:
            wanted = [key for key, value in pooled.items() if value] + ["spare"] * bool(self.spare)
            if wanted or self.options or self.limits != LIMITS:
                raise OptionError(
                    "Sessions that run in the server's own process can't be ended, limited or "
                    "opened ahead: give --workers N, or --backend process or docker.",
                    options=wanted,
                )
            return None
        if name != "process" and any(pooled.values()):
            raise OptionError(
                f"--workers and what belongs to it are for --backend process, not {name!r}.",
                backend=name,
            )
        if name == "process":
            environment = None if offer.served is None else offer.served.name
            make: Any = registry.load(registry.Entry("workers", _POOL))
            transport = make(environment=environment, **pooled, **self.options)
        else:
            make = registry.load(registry.transport(name))
            transport = make(**checked(make, self.options, f"the backend {name}"))
        return Backend(transport, offer, self.limits, self.spare)


IN_THE_SERVER = BackendSettings()
"""Sessions run in the server's own process."""


def default_backend(environment: str) -> str:
    """Return where sessions run unless the operator of a server says otherwise.

    A step that holds the interpreter lock stops its whole process: the server's, with all sessions,
    unless it runs in another. Environments of this package don't, nor do those that say that
    they are inline.

    Raises:
        OpenEnvGymError: The environment cannot be loaded.
    """
    entry = registry.environment(environment)
    ours = entry.name in registry.ENVIRONMENTS
    return INPROCESS if ours or getattr(registry.load(entry), "inline", False) else "process"
