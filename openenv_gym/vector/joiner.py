"""The results of all workers as one batch, and what is kept of it for the next step."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import numpy as np
from gymnasium.spaces import Discrete, Space
from gymnasium.vector.utils import batch_space, iterate
from numpy.typing import NDArray

from openenv_gym.spaces.batch import join
from openenv_gym.spaces.union import fit_mask, lift
from openenv_gym.wire.messages import VectorResult
from openenv_gym.wire.vector_infos import merge_infos

__all__ = ["Joiner", "Results"]

Results = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]
"""What a step of a vector environment returns."""


class Joiner:
    """Joins the results of workers.

    Args:
        actions: The action space of a lane.
        observations: The observation space of a lane.
        num_envs: Number of lanes.
        keep: The last observations are kept, for lanes that are lost.
        copy: Batches are the caller's own; else they are written again after the next step but one.

    Attributes:
        mask: (num_envs, actions) bool: which actions are legal; None if they are not Discrete.
    """

    def __init__(
        self,
        actions: Space[Any],
        observations: Space[Any],
        num_envs: int,
        *,
        keep: bool,
        copy: bool,
    ) -> None:
        self._actions = actions
        self._observations = observations
        self._all = range(num_envs)
        self._last: list[Any] | None = [None] * num_envs if keep else None
        self._batches: dict[int, Space[Any]] = {}
        self._recent: deque[Any] | None = None if copy else deque([None, None], 2)
        self.mask: NDArray[np.bool_] | None = None
        if isinstance(actions, Discrete):
            self.mask = np.ones((num_envs, int(actions.n)), np.bool_)

    def last(self, lanes: Sequence[int]) -> list[Any]:
        """Return copies of the last observations of lanes, which were kept."""
        return deepcopy([self._last[lane] for lane in lanes] if self._last is not None else [])

    def widen(self, actions: Space[Any], observations: Space[Any]) -> None:
        """Go on with wider Spaces; what is kept becomes values of them."""
        if actions != self._actions and self.mask is not None:
            self.mask = fit_mask(self.mask, self._actions, actions)
        if observations != self._observations:
            self._batches.clear()
            if self._last is not None:
                to_union = lift(self._observations, observations)
                self._last = [None if one is None else to_union(one) for one in self._last]
        self._actions, self._observations = actions, observations

    def join(self, results: Sequence[VectorResult], lanes: Sequence[int] | None = None) -> Results:
        """Return the results of workers as one, for all lanes or for some."""
        if len(results) == 1:
            only = results[0]
            observations, rewards = only.observations, only.rewards
            terminations, truncations = only.terminations, only.truncations
        else:
            observations = self._join_observations(results, reuse=lanes is None)
            rewards = np.concatenate([r.rewards for r in results])
            terminations = np.concatenate([r.terminations for r in results])
            truncations = np.concatenate([r.truncations for r in results])
        infos = merge_infos([(r.infos, len(r.rewards)) for r in results])
        self._keep(observations, lanes)
        if self.mask is not None and "action_mask" in infos:
            self._take_masks(self.mask, infos["action_mask"], infos["_action_mask"], lanes)
        return observations, rewards, terminations, truncations, infos

    def _join_observations(self, results: Sequence[VectorResult], *, reuse: bool) -> Any:
        batches, recent = [r.observations for r in results], self._recent
        if recent is None or not reuse:
            return join(self._observations, batches, None)
        recent.append(join(self._observations, batches, recent[0]))
        return recent[-1]

    def _take_masks(
        self,
        mask: NDArray[np.bool_],
        masks: NDArray[Any],
        reported: NDArray[np.bool_],
        lanes: Sequence[int] | None,
    ) -> None:
        if lanes is None and np.count_nonzero(reported) == len(reported):
            self.mask = masks.astype(np.bool_)
        else:
            rows = np.array(self._all if lanes is None else lanes)
            mask[rows[reported]] = masks[reported]

    def _keep(self, observations: Any, lanes: Sequence[int] | None) -> None:
        if self._last is None:
            return
        kept = self._all if lanes is None else lanes
        batch = self._batches.get(len(kept))
        if batch is None:
            batch = batch_space(self._observations, len(kept))
            self._batches[len(kept)] = batch
        for lane, observation in zip(kept, iterate(batch, observations), strict=True):
            self._last[lane] = observation
