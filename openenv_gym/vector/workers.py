"""Workers of a vector environment: a link each, and the lanes behind it."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from time import monotonic
from typing import Any

from openenv_gym.errors import (
    ClosedError,
    EpisodeError,
    ExchangeTimeoutError,
    OpenEnvGymError,
    OptionError,
    ServerFullError,
    SessionLostError,
    TransportError,
)
from openenv_gym.spaces.guesses import is_guessed
from openenv_gym.transport import Link, LinkSettings, Transport
from openenv_gym.wire.busy_wait import LANES_LIMIT, LIMIT
from openenv_gym.wire.messages import Description, Failure, OpenVector, Reply, Request
from openenv_gym.wire.progress_bar import Progress, progress_bar, silent
from openenv_gym.wire.time_limits import NO_LIMITS, TimeLimits

_POLL = 0.001
_ANOTHER_TRY = 2.0  # seconds


class Worker:
    """A session with several lanes.

    Args:
        transport: How its session is reached.
        request: Opens its session.
        lanes: Numbers of its lanes.
        alone: There is no other, which would need the core that this process waits on.
        core: The core that its process keeps to; None: any.
        place: Its number among the workers.
        views: Its observations may be views of memory that is written again.
        limits: How long its requests may take.

    Attributes:
        lanes: Numbers of its lanes.
        place: Its number among the workers.
        sent: Those that were sent an action by ``send`` and not received yet.
    """

    def __init__(
        self,
        transport: Transport,
        request: OpenVector,
        lanes: range,
        *,
        alone: bool,
        core: int | None,
        place: int = 0,
        views: bool = False,
        limits: TimeLimits = NO_LIMITS,
    ) -> None:
        self._transport = transport
        self._settings = LinkSettings(
            core=core,
            place=place,
            busy_wait=LANES_LIMIT if alone else LIMIT,
            views=views,
            limits=limits,
        )
        self._request = request
        self._link: Link | None = None
        self._unsent: OpenEnvGymError | None = None
        self._abandoned = False
        self._ended = False
        self.lanes = lanes
        self.place = place
        self.sent: list[int] = []

    def open(self) -> Description:
        """Start it.

        Raises:
            ServerFullError: There is no room for its lanes.
        """
        self._link = link = self._transport.open(self._request, self._settings)
        if self._abandoned:
            self.close()
        return link.description

    def abandon(self) -> None:
        """Have it closed as soon as it is open: nobody waits for it any more."""
        self._abandoned = True

    @property
    def is_open(self) -> bool:
        """It was started, and not ended."""
        return self._link is not None

    @property
    def side_by_side(self) -> int:
        """How many of its kind may be started at a time."""
        return self._transport.side_by_side

    def restart(self) -> None:
        """Start it anew; its lanes count as ended."""
        self.close()
        self._request.ended = True
        self.open()
        self._ended = False

    def lose(self, error: TransportError) -> None:
        """Note that an outcome is lost; end what does not answer, where it was started for this."""
        link = self._opened()
        if link.renewable and isinstance(error, ExchangeTimeoutError | SessionLostError):
            self._ended = True
            if isinstance(error, ExchangeTimeoutError):
                self.sent = []
                link.kill("It did not answer in time.")

    def renew(self) -> None:
        """Start it anew, where what was started for it is lost."""
        if self._ended:
            self.restart()

    def check_received(self) -> None:
        """Check that nothing is under way.

        Raises:
            EpisodeError: Lanes that were sent something have not been received.
        """
        if self.sent:
            raise EpisodeError(
                f"The lanes {self.sent} have not answered: recv() comes before the next send() to "
                "their worker.",
                lanes=self.sent,
            )

    def try_send(self, request: Request, lanes: Sequence[int] = ()) -> None:
        """Send a request on its way; what goes wrong with that is raised by :meth:`receive`.

        Args:
            request: What is asked.
            lanes: Those that it is for, where the reply is not waited for at once.
        """
        link = self._opened()
        self.sent, self._unsent = list(lanes), None
        try:
            link.send(request)
        except OpenEnvGymError as error:
            self._unsent = error

    def receive(self, timeout: float | None) -> Reply:
        """Wait for the reply.

        Raises:
            OpenEnvGymError: What the session raised, or sending.
        """
        unsent, self._unsent = self._unsent, None
        if unsent is not None:
            self.sent = []
            raise unsent
        try:
            reply = self._opened().receive(timeout)
        except ExchangeTimeoutError:
            raise  # it may still come
        except BaseException:
            self.sent = []
            raise
        self.sent = []
        if type(reply) is Failure:
            raise reply.error()
        return reply

    def ask(self, request: Request) -> Reply:
        """One request, one reply."""
        return self._opened().exchange(request)

    def ready(self, timeout: float) -> bool:
        """Whether the reply is there."""
        return self._unsent is not None or self._opened().ready(timeout)

    def fileno(self) -> int | None:
        """What can be read when it comes."""
        return self._opened().fileno()

    @property
    def description(self) -> Description:
        """What its lanes are."""
        return self._opened().description

    @property
    def guesses(self) -> bool:
        """The Spaces of its lanes are guesses, which may become wider."""
        return is_guessed(self._opened().space_sources)

    @property
    def isolation(self) -> dict[str, Any]:
        """What is between it and this process."""
        return {"transport": self._transport.name, **self._opened().isolation}

    def close(self) -> None:
        """End it; a second call does nothing."""
        link, self._link = self._link, None
        self.sent = []
        if link is not None:
            with contextlib.suppress(OpenEnvGymError):
                link.close()

    def _opened(self) -> Link:
        if self._link is None:
            raise ClosedError("The environments are closed: make new ones.")
        return self._link


def open_all(workers: Sequence[Worker]) -> Description:
    """Start workers, as many side by side as their transport says.

    Raises:
        ServerFullError: The server has not as many places as they have lanes.
        OptionError: Their lanes are of different Spaces.
    """
    descriptions = _open_side_by_side(workers, workers[0].side_by_side)
    first = descriptions[0]
    for worker, description in zip(workers, descriptions, strict=True):
        for what in ("action_space", "observation_space"):
            if getattr(description, what) != getattr(first, what) and not worker.guesses:
                raise OptionError(
                    f"The lanes of a vector have one {what}, but those of {list(worker.lanes)} "
                    "have another, by their options. Make an environment of each.",
                    space=what,
                )
    return first


def _open_side_by_side(workers: Sequence[Worker], limit: int) -> list[Description]:
    if len(workers) == 1:
        return [_open(workers[0], workers)]
    with progress_bar("starting workers", silent) as progress:
        return _open_many(workers, limit, progress)


def _open_many(workers: Sequence[Worker], limit: int, progress: Progress) -> list[Description]:
    started = itertools.count(1)

    def open_one(worker: Worker) -> Description:
        description = _open(worker, workers)
        progress(next(started), len(workers), "workers started")
        return description

    if limit == 1:
        return [open_one(worker) for worker in workers]
    executor = ThreadPoolExecutor(min(limit, len(workers)), "start a worker")
    try:
        futures = [executor.submit(open_one, worker) for worker in workers]
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failed = [future for future in futures if future in done and future.exception()]
        executor.shutdown(cancel_futures=True)  # what has begun is opened, so that it can be closed
        return [future.result() for future in failed or futures]
    except BaseException:
        for worker in workers:
            worker.abandon()
        executor.shutdown(wait=False, cancel_futures=True)
        raise


def _open(worker: Worker, workers: Sequence[Worker]) -> Description:
    try:
        return worker.open()
    except ServerFullError as error:
        # The others took some, which they will not keep.
        wanted = sum(len(each.lanes) for each in workers)
        taken = sum(len(each.lanes) for each in workers if each.is_open)
        free, most = error.fields.get("free", 0) + taken, error.fields.get("max_sessions")
        raise ServerFullError(
            f"{wanted} lanes were asked for, but {free} of the server's {most} sessions are "
            "free; no lane was taken. Close some, or serve with more.",
            **{**error.fields, "wanted": wanted, "free": free},
        ) from error


def close_all(workers: Sequence[Worker]) -> None:
    """Close workers side by side: each of them may be busy, and is waited for."""
    threads: list[threading.Thread] = []
    for worker in workers[1:]:
        thread = threading.Thread(target=worker.close, name="close a worker")
        try:
            thread.start()
        except RuntimeError:  # the interpreter ends, and starts no threads any more
            worker.close()
        else:
            threads.append(thread)
    for worker in workers[:1]:
        worker.close()
    for thread in threads:
        thread.join()


def own_core(number: int, workers: int) -> int | None:
    """The core for a worker: its own, where there are as many cores as workers; None for any.

    On a machine that is busy with them the kernel wakes two workers on one core now and then, and
    leaves another idle for that step: of Chess on two cores, every third step.
    """
    if workers == 1 or not hasattr(os, "sched_getaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[number] if len(cores) == workers else None


def split_evenly(lanes: int, workers: int) -> Iterator[tuple[int, int]]:
    """First and end of each worker's lanes; the first workers get one more if need be."""
    share, rest = divmod(lanes, workers)
    first = 0
    for number in range(workers):
        end = first + share + (number < rest)
        yield first, end
        first = end


def time_left(limit: float | None, began: float) -> float | None:
    """Return what is left of a limit that all workers share, since all were sent at once.

    The workers of one server that is gone would wait for it one after the other else. It is enough
    for another try to connect, at least.
    """
    return None if limit is None else max(began + limit - monotonic(), min(limit, _ANOTHER_TRY))


def wait_for_any(workers: list[Worker], lanes: int, limit: float | None) -> list[Worker]:
    """Wait until workers with so many lanes have answered; these.

    Raises:
        ExchangeTimeoutError: They have not within the limit.
    """
    deadline = None if limit is None else monotonic() + limit
    while True:
        ready = [worker for worker in workers if worker.ready(0.0)]
        if sum(len(worker.sent) for worker in ready) >= lanes:
            return ready
        left = 3600.0 if deadline is None else deadline - monotonic()
        if left <= 0:
            raise ExchangeTimeoutError(
                f"{lanes} lanes did not answer within {limit} s; the next recv() goes on waiting.",
                timeout=limit,
            )
        poll, pausing = select.poll(), False
        for worker in workers:
            file = None if worker in ready else worker.fileno()
            if file is not None:
                poll.register(file, select.POLLIN)
            elif worker not in ready:
                pausing = True  # nothing to wait on: it is asked again and again
        poll.poll(1e3 * (min(left, _POLL) if pausing else left))
