"""OpenEnvVectorEnv: many environments, stepped by one round trip for each worker.

A worker is a session with several lanes, over a transport of its own. All workers are sent their
actions before any is waited for, so they step side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic
from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import iterate
from numpy.typing import NDArray

from openenv_gym.env.guesses import warn_of_guesses
from openenv_gym.env.keyword_types import check_keywords, check_reset_options
from openenv_gym.env.keywords import resolve_keywords
from openenv_gym.errors import (
    ClosedError,
    EpisodeError,
    OpenEnvGymError,
    OptionError,
    TransportError,
)
from openenv_gym.spaces.batch import space_of_lanes
from openenv_gym.transport import STEP_TIMEOUT, Transport, expect
from openenv_gym.vector.arguments import autoreset, check_counts, reset_mask, seeds_of
from openenv_gym.vector.frames import mode_of_lanes
from openenv_gym.vector.joiner import Joiner, Results
from openenv_gym.vector.recovery import Recovery, substitute
from openenv_gym.vector.remote import RemoteVectorEnv
from openenv_gym.vector.seeds import LaneGenerators
from openenv_gym.vector.spaces import WorkerSpaces
from openenv_gym.vector.workers import (
    Worker,
    close_all,
    open_all,
    own_core,
    split_evenly,
    time_left,
    wait_for_any,
)
from openenv_gym.wire.messages import (
    OpenVector,
    Request,
    ResetVector,
    StepVector,
    VectorResult,
)
from openenv_gym.wire.time_limits import TimeLimits


class OpenEnvVectorEnv(RemoteVectorEnv):
    """Many environments of one kind as a ``gymnasium.vector.VectorEnv``.

    Made by ``gymnasium.make_vec("openenv/Chess-v0", num_envs=64, transport="process", workers=2)``.
    It does to the bit what ``SyncVectorEnv`` does with as many single environments.

    Where Spaces are guesses, as of a server that does not bound its fields, a value outside of them
    widens the Spaces of all lanes, with one warning: from then on each batch is of the wider Space.
    An array stays an array where bounds or the dtype change, and becomes a tuple with an item for
    each lane where lengths differ.

    Args:
        environment: As with :class:`~openenv_gym.env.OpenEnvGym`.
        num_envs: Number of lanes.
        workers: Number of sessions that share them; each steps its lanes one after the other.
        autoreset_mode: What happens when a lane's episode ends: gymnasium's ``AutoresetMode``, or
            its value: ``"NextStep"``, ``"SameStep"``, ``"Disabled"``.
        max_episode_steps: After so many steps an episode is truncated.
        lane_options: Options of each lane, on top of ``options``.
        on_failure: What happens when a worker is lost: ``"raise"`` an error, or ``"restart"`` it;
            then its lanes are truncated, and ``info["failure"]`` says why.
        max_restarts: How many lost workers are restarted before the loss is an error.
        copy: Observations are the caller's own. False saves the time to copy them: they may be
            views of memory that is written again, and stand until the next step but one.
        render_mode, transport, url, image, token, timeout, start_timeout, reset_timeout,
        step_timeout, render_timeout, close_timeout, require_isolation, transport_options,
        action_space, observation_space, spaces, actions, options, **further: As with
            :class:`~openenv_gym.env.OpenEnvGym`.

    Attributes:
        metadata: That of the environment, with ``autoreset_mode``.
        autoreset_mode: What happens when a lane's episode ends.

    Raises:
        ServerFullError: The server has not as many places as there are lanes; none was taken.
    """

    metadata: dict[str, Any] = {}  # noqa: RUF012  # as gymnasium has it

    def __init__(
        self,
        environment: str | Callable[..., Any] | None = None,
        *,
        num_envs: int = 1,
        workers: int = 1,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        lane_options: Sequence[Mapping[str, Any]] | None = None,
        on_failure: str = "raise",
        max_restarts: int = 3,
        copy: bool = True,
        render_mode: str | None = None,
        transport: str | Transport | None = None,
        url: str | Sequence[str] | None = None,
        image: str | None = None,
        token: str | None = None,
        timeout: float | None = STEP_TIMEOUT,
        start_timeout: float | None = None,
        reset_timeout: float | None = None,
        step_timeout: float | None = None,
        render_timeout: float | None = None,
        close_timeout: float | None = None,
        require_isolation: str | Collection[str] | None = None,
        transport_options: dict[str, Any] | None = None,
        action_space: gymnasium.Space[Any] | dict[str, Any] | None = None,
        observation_space: gymnasium.Space[Any] | dict[str, Any] | None = None,
        spaces: dict[str, Any] | str | None = None,
        actions: Any = None,
        options: Mapping[str, Any] | None = None,
        **further: Any,
    ) -> None:
        check_keywords(
            {
                "num_envs": num_envs,
                "workers": workers,
                "max_episode_steps": max_episode_steps,
                "lane_options": lane_options,
                "max_restarts": max_restarts,
                "copy": copy,
                "render_mode": render_mode,
            }
        )
        check_counts(num_envs, workers, lane_options, on_failure)
        mode = autoreset(autoreset_mode)
        asked = resolve_keywords(
            environment,
            further,
            options=options,
            transport=transport,
            url=url,
            image=image,
            token=token,
            timeout=timeout,
            start_timeout=start_timeout,
            limits=TimeLimits(reset_timeout, step_timeout, render_timeout, close_timeout),
            require_isolation=require_isolation,
            transport_options=transport_options,
            action_space=action_space,
            observation_space=observation_space,
            spaces=spaces,
            actions=actions,
            own={
                "workers": None if workers == 1 else workers,
                "lane_options": lane_options,
                "max_episode_steps": max_episode_steps,
            },
        )
        each = [{**asked.options, **given} for given in lane_options or [{}] * num_envs]
        self.num_envs = num_envs
        self._generators = LaneGenerators(num_envs)
        self._numbers = frozenset(range(num_envs))
        self.closed = False
        self._timeout = asked.transport.timeout
        self._limits = asked.limits.by_kind
        self._recovery = Recovery(max_restarts, enabled=on_failure == "restart")
        self._lost: TransportError | None = None
        self._workers = [
            Worker(
                asked.transport,
                OpenVector(
                    asked.environment,
                    each[first:end],
                    mode_of_lanes(render_mode),
                    mode.value,
                    max_episode_steps,
                    first=first,
                    **asked.spaces,
                ),
                range(first, end),
                alone=workers == 1,
                core=own_core(number, workers),
                place=number,
                views=workers > 1 or not copy,  # joining several copies them
                limits=asked.limits,
            )
            for number, (first, end) in enumerate(split_evenly(num_envs, workers))
        ]
        try:
            description = open_all(self._workers)
        except BaseException:
            self.close()
            raise
        warn_of_guesses(description)
        self._exports = description.exports
        self._spaces = WorkerSpaces(self._workers)
        self.single_action_space = self._spaces.actions
        self.single_observation_space = self._spaces.observations
        self.action_space = space_of_lanes(self.single_action_space, num_envs)
        self.observation_space = space_of_lanes(self.single_observation_space, num_envs)
        self.metadata = {**description.metadata, "autoreset_mode": mode}
        self.autoreset_mode = mode
        self._take_render_mode(render_mode)
        self._joiner = Joiner(
            self.single_action_space,
            self.single_observation_space,
            num_envs,
            keep=self._recovery.enabled,
            copy=copy,
        )

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Implements gymnasium.vector.VectorEnv.reset.

        Args:
            seed: Of lane i: seed + i; or one for each.
            options: Those of the environment's reset. Beside them ``reset_mask``, a bool array:
                only these lanes begin a new episode.
        """
        self._check_idle()
        check_reset_options(options)
        seeds = seeds_of(seed, self.num_envs)
        given = dict(options or {})
        chosen = reset_mask(given.pop("reset_mask", None), self.num_envs)
        self._generators.seed(
            [seed if chosen is None or chosen[lane] else None for lane, seed in enumerate(seeds)]
        )
        requests: list[ResetVector] = []
        for worker in self._workers:
            lanes = None
            if chosen is not None:
                lanes = [i for i, lane in enumerate(worker.lanes) if chosen[lane]]
            requests.append(ResetVector([seeds[lane] for lane in worker.lanes], given, lanes))
            worker.renew()
            worker.try_send(requests[-1])
        results = self._received(self._workers, requests)
        self._lost = None
        observations, _, _, _, infos = self._joiner.join(results)
        if self._frames is not None:
            begun = range(self.num_envs) if chosen is None else np.flatnonzero(chosen).tolist()
            self._frames.begin(begun)
            self._frames.add(self._pictures(self._workers, begun))
        return observations, infos

    def step(self, actions: Any) -> Results:
        """Implements gymnasium.vector.VectorEnv.step.

        Raises:
            ActionError: One is not in the action space; its worker stepped no lane.
            TransportError: A worker is lost, and is not to be restarted.
        """
        self._check_idle()
        self._check_whole()
        rows = actions if isinstance(actions, np.ndarray) else list(self._rows(actions))
        if len(rows) != self.num_envs:
            raise OptionError(f"{len(rows)} actions for {self.num_envs} lanes: give one for each.")
        for worker in self._workers:
            worker.try_send(StepVector(rows[worker.lanes.start : worker.lanes.stop]))
        results = self._joiner.join(self._received(self._workers))
        if self._frames is not None:
            self._follow(self._workers, range(self.num_envs), results)
        return results

    def _received(
        self, workers: list[Worker], resets: list[ResetVector] | None = None
    ) -> list[VectorResult]:
        """The results of workers; all are received before anything is raised.

        Args:
            workers: Those that were sent something.
            resets: What they were sent, if that was resets.

        Raises:
            OpenEnvGymError: What one of them raised, and was not to be mended by a restart.
        """
        kind: type[Request] = StepVector if resets is None else ResetVector
        limit = self._limits.get(kind, self._timeout)
        results: list[VectorResult] = []
        spaces: list[Space[Any] | None] = []  # of observations that are not the worker's own
        errors: list[OpenEnvGymError] = []
        began = monotonic()
        for number, worker in enumerate(workers):
            lanes = worker.sent or list(worker.lanes)
            if resets is not None and (chosen := resets[number].lanes) is not None:
                lanes = [worker.lanes[i] for i in chosen]
            spaces.append(None)
            try:
                try:
                    left = time_left(limit, began)
                    results.append(expect(VectorResult, worker.receive(left)))
                except TransportError as lost:
                    worker.lose(lost)
                    self._recovery.start_anew(worker, lost, lanes)
                    self._spaces.take(worker)
                    if resets is not None:  # by which nothing is lost
                        results.append(expect(VectorResult, worker.ask(resets[number])))
                        continue
                    space, mode = self.single_observation_space, self.autoreset_mode
                    last = self._joiner.last(lanes)
                    results.append(substitute(worker, str(lost), last, space, mode))
                    if mode is not AutoresetMode.SAME_STEP:
                        spaces[-1] = space
            except OpenEnvGymError as error:
                errors.append(error)
        if errors:
            self._lost = next((e for e in errors if isinstance(e, TransportError)), None)
            raise errors[0]
        if not self._spaces.guessed:
            return results
        if self._spaces.follow(workers, results):
            self._widen()
        return self._spaces.fitted(workers, results, spaces)

    def _widen(self) -> None:
        """Take over Spaces that became wider, with one warning."""
        self.single_action_space = self._spaces.actions
        self.single_observation_space = self._spaces.observations
        self.action_space = space_of_lanes(self.single_action_space, self.num_envs)
        self.observation_space = space_of_lanes(self.single_observation_space, self.num_envs)
        self._joiner.widen(self.single_action_space, self.single_observation_space)

    def _rows(self, actions: Any) -> Any:
        return iterate(self.action_space, actions)

    def action_masks(self) -> NDArray[np.bool_]:
        """Which actions are legal in each lane; all, where the environment does not report them.

        Returns:
            (num_envs, actions) bool, from the last observations, without a round trip.

        Raises:
            EpisodeError: Actions of this Space have no masks.
        """
        if self._joiner.mask is None:
            raise EpisodeError(f"There are no masks for the actions {self.single_action_space}.")
        return self._joiner.mask.copy()

    def send(self, actions: Any, lanes: Sequence[int]) -> None:
        """Send actions to some lanes, and does not wait: the others are not held up.

        Lanes of one worker answer together, so that a slow lane holds up none, make as many workers
        as lanes.

        Args:
            actions: One for each of the lanes.
            lanes: Their numbers. All lanes of them that share a worker must be sent at once.

        Raises:
            EpisodeError: Their worker has not answered what it was sent before; nothing was sent.
        """
        self._check_whole()
        by_lane = dict(zip(lanes, actions, strict=False))
        if not len(by_lane) == len(lanes) == len(actions) or not by_lane.keys() <= self._numbers:
            raise OptionError(
                f"{len(actions)} actions for the lanes {list(lanes)}: give one for each, and each "
                f"lane of 0 to {self.num_envs - 1} once."
            )
        sending: list[tuple[Worker, list[int]]] = []
        for worker in self._workers:
            mine = [lane for lane in worker.lanes if lane in by_lane]
            if mine:
                worker.check_received()
                sending.append((worker, mine))
        for worker, mine in sending:
            rows = [lane - worker.lanes.start for lane in mine]
            worker.try_send(StepVector([by_lane[lane] for lane in mine], rows), mine)

    def recv(
        self, min_lanes: int = 1, timeout: float | None = None
    ) -> tuple[NDArray[np.int64], Any, Any, Any, Any, dict[str, Any]]:
        """Receive the results that are there, of so many lanes at least.

        Args:
            min_lanes: Lanes to wait for.
            timeout: Seconds to wait; by default those of ``make_vec``.

        Returns:
            The lanes' numbers, and what :meth:`step` returns, a row for each of them.

        Raises:
            EpisodeError: Fewer lanes were sent.
            ExchangeTimeoutError: They did not come in time; the next call goes on waiting.
        """
        waiting = [worker for worker in self._workers if worker.sent]
        if sum(len(worker.sent) for worker in waiting) < min_lanes:
            raise EpisodeError(f"{min_lanes} lanes cannot answer: send() was called for fewer.")
        limit = self._timeout if timeout is None else timeout
        ready = wait_for_any(waiting, min_lanes, limit)
        lanes = [lane for worker in ready for lane in worker.sent]
        results = self._joiner.join(self._received(ready), lanes)
        if self._frames is not None:
            self._follow(ready, lanes, results)
        return (np.array(lanes, np.int64), *results)

    def _check_idle(self) -> None:
        if self.closed:
            raise ClosedError("The environments are closed: make new ones.")
        if any(worker.sent for worker in self._workers):
            raise EpisodeError("Some lanes were sent actions: recv() comes before step and reset.")

    def _check_whole(self) -> None:
        if self._lost is not None:
            raise EpisodeError(
                "The last step's outcome was lost on the way, so the episodes cannot go on: call "
                "reset()."
            ) from self._lost

    @property
    def isolation(self) -> list[dict[str, Any]]:
        """What is between each worker and this process."""
        return [worker.isolation for worker in self._workers]

    def close_extras(self, **kwargs: Any) -> None:
        """Implements gymnasium.vector.VectorEnv.close_extras; at any moment, and more than once."""
        if self._frames is not None:
            self._frames.close()
        close_all(self._workers)
