"""A recording instead of an environment: what was recorded is played again, and nothing else."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from openenv_gym.errors import ClosedError, EpisodeError, NotResetError, OptionError, ReplayError
from openenv_gym.transport import DEFAULT_SETTINGS, ImmediateLink, Link, LinkSettings, Transport
from openenv_gym.wire.messages import (
    Close,
    Closed,
    Failure,
    Open,
    OpenVector,
    Reply,
    Request,
    Reset,
    Result,
    Step,
)
from openenv_gym.wire.recording import Recording, read_recording


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class ReplayTransport(Transport):
    """Plays a recording that ``openenv_gym.record`` made; the environment is not needed.

    A reset begins the next recorded episode with its seed, the first again after the last; without
    a seed the next episode of all. A step must have the recorded action.

    Args:
        file: Path of the recording.
        timeout: Accepted as by the other transports; nothing is waited for.

    Raises:
        OptionError: No file was given.
    """

    name: ClassVar[str] = "replay"

    file: str | Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.file is None:
            raise OptionError(
                "transport='replay' plays a recording: name it by "
                "transport_options={'file': 'game.oeg'}."
            )

    def open(self, request: Open | OpenVector, settings: LinkSettings = DEFAULT_SETTINGS) -> Link:
        """Implements Transport.open.

        Raises:
            RecordingError: The file is not a recording.
            OptionError: Something else was recorded than what is asked for.
        """
        assert self.file is not None
        recording = read_recording(self.file)
        if isinstance(request, OpenVector):
            raise OptionError(
                "A recording is of one environment: make() plays it, and make_vec() cannot. "
                "SyncVectorEnv takes several of them."
            )
        self._check(request, recording)
        return ReplayLink(recording, str(self.file))

    def _check(self, request: Open, recording: Recording) -> None:
        made = recording.request
        wanted = {
            "environment": (request.environment, made.environment),
            "options": (request.options or None, made.options),
            "render_mode": (request.render_mode, made.render_mode),
        }
        for what, (asked, recorded) in wanted.items():
            if asked is not None and not _same(asked, recorded):
                raise OptionError(
                    f"The recording {self.file} was made with {what}={recorded!r:.200}, not with "
                    f"{asked!r:.200}. Leave it out (the id openenv/Remote-v0 takes any "
                    "environment), or record again.",
                    what=what,
                    recorded=recorded,
                )


class ReplayLink(ImmediateLink):
    """A session whose replies were recorded.

    Args:
        recording: What was recorded.
        file: Its path, for errors.

    Attributes:
        description: As it was recorded.
    """

    description_follows = True  # it is what it was

    def __init__(self, recording: Recording, file: str) -> None:
        self.description = recording.description
        self._exchanges = recording.exchanges
        self._file = file
        self._place: int | None = None  # of the last exchange that was played
        self._step = 0
        self._over = False
        self._left: ReplayError | None = None
        self._closed = False

    @property
    def isolation(self) -> dict[str, Any]:
        """Implements Link.isolation: there is no environment."""
        return {"boundary": "none", "recording": self._file}

    def handle(self, request: Request) -> Reply:
        """Implements ImmediateLink.handle.

        Raises:
            ReplayError: The recording has no such request at this place.
        """
        if isinstance(request, Close):
            self.close()
            return Closed()
        if self._closed:
            raise ClosedError("The environment is closed: make a new one.")
        if isinstance(request, Reset):
            return self._answer(self._find_reset(request))
        if self._place is None:
            raise NotResetError("There is no running episode: call reset() before step().")
        if self._left is not None:
            raise self._left
        if isinstance(request, Step):
            return self._answer(self._find_step(request))
        return self._answer(self._find_beside(request))

    def close(self) -> None:
        """Implements Link.close."""
        self._closed = True

    def _answer(self, place: int) -> Reply:
        reply = self._exchanges[place][1]
        if isinstance(reply, Failure):
            raise reply.error()
        if isinstance(reply, Result):
            self._over = bool(reply.terminated or reply.truncated)
        return copy.deepcopy(reply)  # its arrays are the caller's own, however often it is played

    def _find_reset(self, request: Reset) -> int:
        """Return where the next episode with a seed begins, after the current place."""
        resets = [place for place, (one, _) in enumerate(self._exchanges) if isinstance(one, Reset)]
        now = -1 if self._place is None else self._place
        ordered = [place for place in resets if place > now] + [
            place for place in resets if place <= now
        ]
        for place in ordered:
            recorded: Any = self._exchanges[place][0]
            if (request.seed is None or request.seed == recorded.seed) and _same(
                request.options or {}, recorded.options or {}
            ):
                self._place, self._step, self._left, self._over = place, 0, None, False
                return place
        seeds = [getattr(self._exchanges[place][0], "seed", None) for place in resets]
        raise ReplayError(
            f"The recording {self._file} has no episode with seed={request.seed} and "
            f"options={request.options or {}}. It has episodes with the seeds "
            f"{', '.join(map(str, seeds)) or 'none'}.",
            seed=request.seed,
            seeds=seeds,
        )

    def _find_step(self, request: Step) -> int:
        """Return where the next step is, which must have the same action."""
        assert self._place is not None
        if self._over:
            raise EpisodeError("The episode is over: call reset() before the next step().")
        for place in range(self._place + 1, len(self._exchanges)):
            recorded = self._exchanges[place][0]
            if isinstance(recorded, Reset):
                break
            if isinstance(recorded, Step):
                if not _same(request.action, recorded.action):
                    raise self._leave(
                        f"has the action {recorded.action!r:.99} here, not {request.action!r:.99}",
                        recorded=recorded.action,
                    )
                self._place = place
                self._step += 1
                return place
        raise self._leave("ends its episode here")

    def _leave(self, reason: str, **fields: Any) -> ReplayError:
        self._left = ReplayError(
            f"Step {self._step + 1} leaves the recording {self._file}, which {reason}: what the "
            "environment would do is not known. reset() plays a recorded episode again; another "
            "transport plays the environment.",
            step=self._step + 1,
            file=self._file,
            **fields,
        )
        return self._left

    def _find_beside(self, request: Request) -> int:
        """Return where the same was asked beside the episode, before the next step."""
        assert self._place is not None
        for place in range(self._place + 1, len(self._exchanges)):
            recorded = self._exchanges[place][0]
            if isinstance(recorded, Step | Reset):
                break
            if type(recorded) is type(request) and _same(_fields(request), _fields(recorded)):
                return place
        raise ReplayError(
            f"The recording {self._file} has no {type(request).__name__} after step {self._step}: "
            "it was not asked for when it was recorded.",
            step=self._step,
            file=self._file,
        )


def _fields(request: Request) -> dict[str, Any]:
    return {
        name: getattr(request, name)
        for name in request.__struct_fields__
        if name not in ("id", "timed")
    }


def _same(one: Any, other: Any) -> bool:
    """Return whether two values are equal, whichever of Python's and numpy's types they have."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, np.ndarray | np.generic) or isinstance(other, np.ndarray | np.generic):
        return _same_arrays(one, other)
    return bool(one == other)


def _same_arrays(one: Any, other: Any) -> bool:
    try:
        return bool(np.array_equal(one, other, equal_nan=True))
    except TypeError:  # texts have no NaN
        return bool(np.array_equal(one, other))
