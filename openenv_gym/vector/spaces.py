"""The Spaces of a vector environment whose workers guess: one for all lanes.

A guess widens in the worker that sees a value outside of it. From then on the Spaces of all lanes
are the union, and the batches of all workers are values of it: an array stays an array where only
bounds or the dtype changed, and is a tuple with an item for each lane where lengths differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gymnasium.spaces import Space
from gymnasium.vector.utils import batch_space, iterate
from msgspec import structs

from openenv_gym.env.guesses import changed_spaces, warn_of_widening
from openenv_gym.spaces.batch import batcher
from openenv_gym.spaces.describe import parse
from openenv_gym.spaces.union import fit_mask, lift, union_of
from openenv_gym.vector.workers import Worker
from openenv_gym.wire.messages import VectorResult


class WorkerSpaces:
    """The Spaces of each worker's lanes, and their union.

    Args:
        workers: All workers, which are open.

    Attributes:
        guessed: They are guesses, which may become wider.
        actions: The action space of a lane.
        observations: The observation space of a lane.
    """

    def __init__(self, workers: Sequence[Worker]) -> None:
        self.guessed = any(worker.guesses for worker in workers)
        self._warned = False
        known = [worker.description for worker in (workers if self.guessed else workers[:1])]
        self._actions = [parse(one.action_space) for one in known]
        self._observations = [parse(one.observation_space) for one in known]
        self.actions: Space[Any] = union_of(self._actions)
        self.observations: Space[Any] = union_of(self._observations)

    def take(self, worker: Worker) -> None:
        """Take over the Spaces of a worker that was started anew."""
        if self.guessed:
            known = worker.description
            self._take(worker.place, known.action_space, known.observation_space)

    def _take(self, place: int, actions: dict[str, Any], observations: dict[str, Any]) -> None:
        self._actions[place] = parse(actions)
        self._observations[place] = parse(observations)

    def follow(self, workers: Sequence[Worker], results: Sequence[VectorResult]) -> bool:
        """Take over Spaces that became wider with results, with one warning.

        Returns:
            Whether the Spaces of all lanes are others than before.
        """
        for worker, result in zip(workers, results, strict=True):
            if result.widened is not None:
                self._take(worker.place, result.widened["action"], result.widened["observation"])
        before = self.actions, self.observations
        # A worker that was started anew may guess less; the Spaces of all never become narrower.
        self.actions = union_of([self.actions, *self._actions])
        self.observations = union_of([self.observations, *self._observations])
        changed = changed_spaces((before[0], self.actions), (before[1], self.observations))
        if changed and not self._warned:
            self._warned = True
            warn_of_widening(changed)
        return bool(changed)

    def fitted(
        self,
        workers: Sequence[Worker],
        results: Sequence[VectorResult],
        spaces: Sequence[Space[Any] | None],
    ) -> list[VectorResult]:
        """Return results with values of the Spaces of all lanes.

        Args:
            workers: Workers of the results.
            results: The results.
            spaces: Spaces of the results' observations, where these are not the workers' own.
        """
        return [
            self._fit(worker.place, result, space or self._observations[worker.place])
            for worker, result, space in zip(workers, results, spaces, strict=True)
        ]

    def _fit(self, place: int, result: VectorResult, space: Space[Any]) -> VectorResult:
        if space != self.observations:
            to_union = lift(space, self.observations)
            rows = iterate(batch_space(space, len(result.rewards)), result.observations)
            batch = batcher(self.observations)([to_union(row) for row in rows])
            result = structs.replace(result, observations=batch)
        own = self._actions[place]
        if own == self.actions:
            return result
        return structs.replace(result, infos=_fit_masks(result.infos, own, self.actions))


def _fit_masks(infos: dict[str, Any], own: Space[Any], actions: Space[Any]) -> dict[str, Any]:
    """Return infos with masks of the actions of all lanes, also those of ended episodes."""
    infos = dict(infos)
    if "action_mask" in infos:
        infos["action_mask"] = fit_mask(infos["action_mask"], own, actions)
    if "final_info" in infos:
        infos["final_info"] = _fit_masks(infos["final_info"], own, actions)
    return infos
