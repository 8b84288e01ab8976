"""Random generators of the lanes, as gymnasium's own vector environments have them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gymnasium.utils import seeding


class LaneGenerators:
    """A generator for each lane, made when somebody asks for it.

    Nothing of the environments themselves is drawn from these: they are for wrappers and users.

    Args:
        lanes: Number of lanes.
    """

    def __init__(self, lanes: int) -> None:
        self._seeds: list[int | None] = [None] * lanes
        self._made: list[np.random.Generator | None] = [None] * lanes

    def seed(self, seeds: Sequence[int | None]) -> None:
        """Begin anew in the lanes that have a seed."""
        for lane, seed in enumerate(seeds):
            if seed is not None:
                self._seeds[lane], self._made[lane] = seed, None

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seed of each lane; one from the system's entropy where none was given."""
        return tuple(self._seeded(lane) for lane in range(len(self._seeds)))

    @property
    def generators(self) -> tuple[np.random.Generator, ...]:
        """The generator of each lane."""
        return tuple(self._generator(lane) for lane in range(len(self._seeds)))

    def _generator(self, lane: int) -> np.random.Generator:
        made = self._made[lane]
        if made is None:
            made, self._seeds[lane] = seeding.np_random(self._seeds[lane])
            self._made[lane] = made
        return made

    def _seeded(self, lane: int) -> int:
        self._generator(lane)
        seed = self._seeds[lane]
        assert seed is not None, "its generator has one"
        return seed
