"""GymnasiumAdapter: a ``gymnasium.Env``, which speaks in values of its Spaces itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import gymnasium
from gymnasium.spaces import Space
from gymnasium.utils import EzPickle

from openenv_gym.errors import CopyError
from openenv_gym.sessions.adapter import Adapter
from openenv_gym.sessions.exports import Declared, Exports
from openenv_gym.spaces.stand_ins import replace_foreign
from openenv_gym.wire.messages import StepOutcome


class GymnasiumAdapter(Adapter):
    """Hosts a ``gymnasium.Env``: its Spaces, values, flags and infos as they are.

    Args:
        environment: The environment.
        exports: What its author exports to strangers too.
        spaces: Spaces that take the places of those of another make, by name.

    Raises:
        SpaceError: It has a Space of another make, and none was given in its place.
    """

    steps_after_end = True

    def __init__(
        self,
        environment: gymnasium.Env[Any, Any],
        exports: Declared = (),
        spaces: Mapping[str, Space[Any]] = MappingProxyType({}),
    ) -> None:
        self._environment = environment
        self._exports = Exports(environment, exports, everything=True)
        if environment.spec is not None:
            self.max_episode_steps = environment.spec.max_episode_steps
        self._spaces = spaces
        self.action_space, replaced = replace_foreign(environment.action_space, spaces, "action")
        self.observation_space, more = replace_foreign(
            environment.observation_space, spaces, "observation"
        )
        self._replaced = {**replaced, **more}
        self.render_mode = environment.render_mode
        # Pictures first, since that is what gymnasium's own "human" shows.
        modes = sorted(environment.metadata.get("render_modes", []), key=_not_a_picture)
        self.metadata = {
            "render_modes": modes,
            "render_fps": environment.metadata.get("render_fps"),
        }

    def field_spaces(self) -> Mapping[str, Space[Any] | None]:
        """Implements Adapter.field_spaces: those that took the places of others."""
        return self._replaced

    def reset(self, seed: int | None, options: dict[str, Any]) -> StepOutcome:
        """Implements Adapter.reset."""
        observation, info = self._environment.reset(seed=seed, options=options or None)
        return observation, 0.0, False, False, info

    def step(self, action: Any) -> StepOutcome:
        """Implements Adapter.step."""
        return self._environment.step(action)

    def __deepcopy__(self, memo: dict[int, Any]) -> GymnasiumAdapter:
        if isinstance(self._environment.unwrapped, EzPickle):
            raise CopyError(
                f"{type(self._environment.unwrapped).__name__} cannot be copied: what Python makes "
                "of it is a new environment, without the episode."
            )
        return type(self)(copy.deepcopy(self._environment, memo), spaces=self._spaces)

    def exports(self) -> Exports:
        """Implements Adapter.exports: all that is public is the owner's."""
        return self._exports

    def stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.stepper: the environment's own step, as it is."""
        return self._environment.step

    def prepared_stepper(self) -> Callable[[Any], StepOutcome]:
        """Implements Adapter.prepared_stepper: likewise."""
        return self._environment.step

    def render(self) -> Any:
        """Implements Adapter.render."""
        return self._environment.render()

    def state(self) -> dict[str, Any]:
        """A ``gymnasium.Env`` has no state beside the observation."""
        return {}

    def close(self) -> None:
        """Implements Adapter.close."""
        self._environment.close()


def _not_a_picture(mode: str) -> tuple[bool, bool]:
    return mode != "rgb_array", mode == "human"
