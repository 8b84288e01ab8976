"""GymnasiumEnvironment: isolates an existing gymnasium environment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium.spaces import Space

from openenv_gym.environment import Environment
from openenv_gym.errors import OptionError
from openenv_gym_envs.gymnasium.models import (
    GymnasiumAction,
    GymnasiumObservation,
    GymnasiumState,
)


class GymnasiumEnvironment(Environment[GymnasiumAction, GymnasiumObservation, GymnasiumState]):
    """Any registered gymnasium environment, with its Spaces, rewards, flags, info and rendering.

    Its wrappers are those of ``gymnasium.make`` (time limit, order enforcing), except for the
    checker, which watches the outer environment anyway.

    Args:
        env_id: Id of the environment; ``"module:ns/Name-v0"`` imports the module first.
        env_kwargs: Keywords for ``gymnasium.make``.

    Raises:
        OptionError: gymnasium cannot make it.
    """

    steps_after_end = True

    def __init__(self, env_id: str, env_kwargs: dict[str, Any] | None = None) -> None:
        self._env_id = env_id
        self._env_kwargs = env_kwargs or {}
        self._env: gymnasium.Env[Any, Any] | None = None
        self._seed: int | None = None
        self._steps = 0
        try:
            self._spec = gymnasium.spec(env_id) if ":" not in env_id else None
        except gymnasium.error.Error as error:
            raise OptionError(
                f"gymnasium knows no environment {env_id!r}: {error}. Name its module too, as "
                "'module:ns/Name-v0', if it is registered by an import.",
                env_id=env_id,
            ) from error

    @property
    def env(self) -> gymnasium.Env[Any, Any]:
        """The wrapped environment, made for the render mode that holds when it is used."""
        if self._env is None or self._env.render_mode != self.render_mode:
            self.close()
            try:
                self._env = gymnasium.make(
                    self._env_id,
                    render_mode=self.render_mode,
                    disable_env_checker=True,
                    **self._env_kwargs,
                )
            except (gymnasium.error.Error, TypeError, ImportError) as error:
                raise OptionError(
                    f"gymnasium cannot make {self._env_id!r} with {self._env_kwargs}: {error}",
                    env_id=self._env_id,
                    env_kwargs=self._env_kwargs,
                ) from error
        return self._env

    def spaces(self) -> Mapping[str, Space[Any]]:
        """Those of the wrapped environment."""
        return {
            "action": self.env.action_space,
            "observation": self.env.observation_space,
        }

    def metadata(self) -> Mapping[str, Any]:
        """Render modes of the wrapped environment; pictures first, as in its own "human"."""
        metadata = self.env.metadata
        modes = metadata.get("render_modes", [])
        ordered = sorted(modes, key=lambda mode: (mode != "rgb_array", mode == "human"))
        return {"render_modes": ordered, "render_fps": metadata.get("render_fps")}

    def seed(self, seed: int) -> None:
        """Kept for the wrapped environment's own reset."""
        self._seed = seed

    def reset(self, **options: Any) -> GymnasiumObservation:
        """Implements Environment.reset; all options go to the wrapped environment."""
        seed, self._seed = self._seed, None
        self._steps = 0
        observation, info = self.env.reset(seed=seed, options=options or None)
        return GymnasiumObservation(observation=observation, metadata=info)

    def step(self, action: GymnasiumAction) -> GymnasiumObservation:
        """Implements Environment.step."""
        assert self._env is not None, "spaces() makes it"
        observation, reward, terminated, truncated, info = self._env.step(action.action)
        self._steps += 1
        return GymnasiumObservation(
            observation=observation,
            reward=reward,
            done=terminated or truncated,
            terminated=terminated,
            truncated=truncated,
            metadata=info,
        )

    @property
    def state(self) -> GymnasiumState:
        """Implements Environment.state."""
        return GymnasiumState(
            env_id=self._env_id, env_kwargs=self._env_kwargs, step_count=self._steps
        )

    def render(self) -> Any:
        """Implements Environment.render."""
        return self.env.render()

    def close(self) -> None:
        """Implements Environment.close."""
        if self._env is not None:
            self._env.close()
