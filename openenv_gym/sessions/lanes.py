"""Lanes: several environments in one session, stepped by one message and answered by one.

What a lane does when its episode ends, and how infos are put together, is what
``gymnasium.vector.SyncVectorEnv`` does, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode

from openenv_gym.errors import ActionError, EpisodeError, OptionError
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.lane_spaces import lane_spaces
from openenv_gym.spaces.action_check import admission, batch_admission
from openenv_gym.spaces.batch import Empty, batcher
from openenv_gym.spaces.guesses import is_guessed
from openenv_gym.wire.messages import VectorResult
from openenv_gym.wire.vector_infos import add_info, gather


class Lanes:
    """Several environments of one kind.

    Args:
        adapters: The environments.
        autoreset_mode: What happens when an episode ends.
        max_episode_steps: After so many steps an episode is truncated; None: never.
        ended: They count as ended, so that the next step resets them.
        first: Number of the first lane, for errors.
        empty: Makes the arrays that the lanes' observations are written into.

    Attributes:
        adapters: The environments.
        first: Number of the first lane.
        failed: The lane, so numbered, whose environment raised; None if none did.
        action_space: The action space of the lanes.
        observation_space: Their observation space. Both become wider where they are guesses.
        widened: Called when one did.
    """

    def __init__(
        self,
        adapters: list[Adapter],
        autoreset_mode: AutoresetMode,
        max_episode_steps: int | None,
        ended: bool,
        first: int,
        empty: Empty,
    ) -> None:
        self.adapters = adapters
        self.first = first
        self.failed: int | None = None
        self.widened: Callable[[], None] = lambda: None
        self._mode = autoreset_mode
        self._limit = max_episode_steps
        self._carry_out = [adapter.prepared_stepper() for adapter in adapters]
        self._guesses = lane_spaces(adapters)
        self._empty = empty
        self._take_spaces()
        self._observations: list[Any] = [None] * len(adapters)
        self._elapsed = [0] * len(adapters)
        self._running = [ended] * len(adapters)
        self._ended = [ended] * len(adapters)

    def _take_spaces(self) -> None:
        first, guesses = self.adapters[0], self._guesses
        self.action_space = first.action_space if guesses is None else guesses.actions
        self.observation_space = (
            first.observation_space if guesses is None else guesses.observations
        )
        self._admits = admission(self.action_space)
        self._admits_all = batch_admission(self.action_space)
        self._batch = batcher(self.observation_space, self._empty)

    def _fit(self, infos: list[dict[str, Any]], lanes: Sequence[int]) -> None:
        """Take over Spaces that became wider in a step or a reset of some lanes."""
        guesses = self._guesses
        if guesses is None:
            return
        guesses.fit_masks(infos, lanes)
        if guesses.observations != self.observation_space or guesses.actions != self.action_space:
            self._take_spaces()
            self.widened()

    @property
    def begun(self) -> bool:
        """Each lane has had an episode."""
        return all(observation is not None for observation in self._observations)

    def reset(
        self, seeds: Sequence[int | None], options: dict[str, Any], lanes: Sequence[int] | None
    ) -> VectorResult:
        """Begin an episode in some lanes; return the observations of all."""
        infos: dict[str, Any] = {}
        chosen = range(len(self.adapters)) if lanes is None else lanes
        rows = [self._reset(lane, seeds[lane], options) for lane in chosen]
        self._fit(rows, chosen)
        for lane, info in zip(chosen, rows, strict=True):
            add_info(infos, info, lane, len(self.adapters))
        if not self.begun:
            raise EpisodeError("Some lanes have no episode yet: the first reset() is for all.")
        count = len(self.adapters)
        return VectorResult(
            self._batch(self._observations),
            np.zeros(count),
            np.zeros(count, np.bool_),
            np.zeros(count, np.bool_),
            infos,
        )

    def _reset(self, lane: int, seed: int | None, options: dict[str, Any]) -> dict[str, Any]:
        """Begin an episode; gives its first info."""
        self._running[lane] = False
        observation, *_, info = self.adapters[lane].reset(seed, options)
        if self._guesses is not None:
            observation = self._guesses.fit(lane, observation, self._observations)
        self._running[lane] = True
        self._ended[lane] = False
        self._elapsed[lane] = 0
        self._observations[lane] = observation
        return info

    def step(self, actions: Iterable[Any], lanes: Sequence[int] | None) -> VectorResult:
        """Carry out an action in each of some lanes.

        Raises:
            ActionError: One is not in the action space; no lane was stepped.
            EpisodeError: A lane has no running episode; no lane was stepped.
        """
        chosen = range(len(self.adapters)) if lanes is None else lanes
        rows = list(actions)
        self.failed = None
        self._check(actions, rows, chosen)
        count = len(chosen)
        rewards = [0.0] * count
        terminations, truncations = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        infos: list[dict[str, Any]] = []
        finals: list[tuple[int, dict[str, Any]]] = []
        ended, observations, carry_out = self._ended, self._observations, self._carry_out
        next_step = self._mode is AutoresetMode.NEXT_STEP
        limited, guesses = self._limit is not None, self._guesses
        if True in ended:  # an action that is not used may be none
            rows = [action for lane, action in zip(chosen, rows, strict=True) if not ended[lane]]
        prepared = self._prepared(rows)
        for row, lane in enumerate(chosen):
            if next_step and ended[lane]:
                info = self._reset(lane, None, {})
            else:
                try:
                    outcome = carry_out[lane](next(prepared))
                    observation, rewards[row], terminated, truncated, info = outcome
                except BaseException:
                    self._running[lane] = False  # nobody knows what state it left behind
                    self.failed = self.first + lane
                    raise
                if guesses is not None:
                    observation = guesses.fit(lane, observation, observations)
                observations[lane] = observation
                if limited:
                    truncated = self._limited(lane) or truncated
                if terminated or truncated:
                    terminations[row], truncations[row] = terminated, truncated
                    ended[lane] = True
                    if self._mode is AutoresetMode.SAME_STEP:
                        final = {"final_obs": observation, "final_info": info}
                        finals.append((row, final))
                        info = self._reset(lane, None, {})
            infos.append(info)
        if guesses is not None:
            guesses.fit_masks(
                [one["final_info"] for _, one in finals], [chosen[i] for i, _ in finals]
            )
        self._fit(infos, chosen)
        gathered = gather(infos)
        for row, final in finals:
            add_info(gathered, final, row, count)
        return VectorResult(
            self._batch(observations if lanes is None else [observations[i] for i in lanes]),
            np.array(rewards, np.float64),
            terminations,
            truncations,
            gathered,
        )

    def _prepared(self, actions: list[Any]) -> Iterator[Any]:
        """What the adapters take for the actions, one after the other."""
        first = self.adapters[0]
        try:
            return iter(first.prepared(actions))
        except Exception:
            # One by one, so that it shows whose model refuses its action.
            return (first.prepared([action])[0] for action in actions)

    def _limited(self, lane: int) -> bool:
        """Count a step; return whether the episode has reached its limit of steps."""
        self._elapsed[lane] += 1
        return self._limit is not None and self._elapsed[lane] >= self._limit

    def _check(self, given: Iterable[Any], actions: list[Any], lanes: Sequence[int]) -> None:
        """Before any lane is stepped: all can be."""
        begun = False not in self._running and True not in self._ended
        if begun and len(actions) == len(lanes) and self._admits_all(given):
            return
        if len(actions) != len(lanes):
            raise ActionError(
                f"{len(actions)} actions for {len(lanes)} lanes; no lane was stepped.",
                actions=len(actions),
                lanes=len(lanes),
            )
        idle = [self.first + lane for lane in lanes if not self._running[lane]]
        if idle:
            raise EpisodeError(
                f"The lanes {idle} have no running episode: call reset() before step().", lanes=idle
            )
        resets = self._mode is AutoresetMode.NEXT_STEP
        for lane, action in zip(lanes, actions, strict=True):
            number = self.first + lane
            if self._ended[lane]:
                if resets:
                    continue  # its action is not used
                if self._mode is AutoresetMode.DISABLED:
                    raise EpisodeError(
                        f"The episode of lane {number} is over: reset it by "
                        "reset(options={'reset_mask': ...}) before the next step().",
                        lanes=[number],
                    )
            if not _admitted(self._admits, action):
                raise ActionError(
                    f"The action {str(action)[:200]} ({type(action).__name__}) of lane {number} is "
                    f"not in the action space {str(self.action_space)[:200]}; no lane "
                    "was stepped.",
                    lane=number,
                    action=repr(action)[:1000],
                )

    def close(self, run: Callable[[Callable[[], None]], None]) -> None:
        """Close all environments, also if one fails to.

        Args:
            run: Calls, and translates what is raised.
        """
        failure: BaseException | None = None
        for host in self.adapters:
            try:
                run(host.close)
            except Exception as error:
                failure = error
        if failure is not None:
            raise failure


def check_alike(first: Adapter, other: Adapter) -> None:
    """Check that two environments can be lanes of one vector: their Spaces are equal, or guesses.

    Raises:
        OptionError: They are not.
    """
    if is_guessed(first.sources) or is_guessed(other.sources):
        return
    for what in ("action_space", "observation_space"):
        if getattr(first, what) != getattr(other, what):
            raise OptionError(
                f"The lanes of a vector have one {what}, but their options give "
                f"{getattr(first, what)} and {getattr(other, what)}. Make an environment of each.",
                space=what,
            )


def _admitted(admits: Callable[[Any], bool], action: Any) -> bool:
    try:
        return admits(action)
    except Exception:  # contains() of a strange value may raise anything
        return False
