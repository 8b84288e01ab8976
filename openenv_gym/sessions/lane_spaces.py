"""The Spaces of lanes that guess: one for all, which is as wide as the widest of them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from gymnasium.spaces import Space

from openenv_gym.sessions.adapter import Adapter
from openenv_gym.spaces.guesses import is_guessed
from openenv_gym.spaces.union import Lift, fit_mask, lift, union_of


class LaneSpaces:
    """Keeps the observations of all lanes in one Space.

    Each lane widens its own Spaces. As soon as one is wider, all observations, also those that
    other lanes made before, are values of the new union.

    Args:
        adapters: The environments of the lanes.

    Attributes:
        actions: The action space of all lanes.
        observations: The observation space of all lanes.
    """

    def __init__(self, adapters: Sequence[Adapter]) -> None:
        self._adapters = adapters
        self._stale = False
        for adapter in adapters:
            adapter.widened = self._widen
        self._unite()

    def _widen(self) -> None:
        self._stale = True

    def _unite(self) -> None:
        self._stale = False
        # Copies, since a Space that contains others is changed itself when one of them widens.
        own = [copy.deepcopy(one.observation_space) for one in self._adapters]
        self.actions: Space[Any] = union_of(one.action_space for one in self._adapters)
        self.observations: Space[Any] = union_of(own)
        self._lifts: list[Lift] = [lift(one, self.observations) for one in own]

    def fit(self, lane: int, observation: Any, earlier: list[Any]) -> Any:
        """Return the observation of a lane as a value of the Space of all.

        Args:
            lane: The lane.
            observation: The value of its own Space.
            earlier: The last observations of all lanes, None for a lane without one; changed in
                place if the Space became wider.
        """
        if self._stale:
            before = self.observations
            self._unite()
            again = lift(before, self.observations)
            earlier[:] = [None if one is None else again(one) for one in earlier]
        return self._lifts[lane](observation)

    def fit_masks(self, infos: Sequence[dict[str, Any]], lanes: Sequence[int]) -> None:
        """Give all masks in infos the length of the action space of all lanes."""
        for lane, info in zip(lanes, infos, strict=True):
            own = self._adapters[lane].action_space
            if "action_mask" in info and own != self.actions:
                info["action_mask"] = fit_mask(info["action_mask"], own, self.actions)


def lane_spaces(adapters: Sequence[Adapter]) -> LaneSpaces | None:
    """Return the Spaces of lanes that guess; None where no lane does."""
    return LaneSpaces(adapters) if any(is_guessed(one.sources) for one in adapters) else None
