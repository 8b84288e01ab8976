"""Stable-Baselines3: many environments as one of its ``VecEnv``, by one round trip a worker.

::

    from sb3_contrib import MaskablePPO
    from openenv_gym.sb3 import make_vec_env

    envs = make_vec_env("openenv/Connect4-v0", 16, seed=0, transport="process", opponent="random")
    MaskablePPO("MlpPolicy", envs, seed=0).learn(100_000)

It stands on :class:`~openenv_gym.vector.OpenEnvVectorEnv`, not on as many single environments as
``stable_baselines3.common.env_util.make_vec_env`` makes; that one works too.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium.spaces import Discrete
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from openenv_gym import _VECTOR_ENTRY_POINT
from openenv_gym.errors import NoSuchAttributeError, OptionError, missing_package
from openenv_gym.vector import OpenEnvVectorEnv
from openenv_gym.wire.vector_infos import rows_of

try:
    from stable_baselines3.common.vec_env import VecEnv, VecMonitor
    from stable_baselines3.common.vec_env.base_vec_env import (
        VecEnvIndices,
        VecEnvObs,
        VecEnvStepReturn,
    )
except ImportError as error:
    raise missing_package("openenv_gym.sb3", error.name or str(error), "sb3") from error

__all__ = ["NoSuchAttributeError", "OpenEnvVecEnv", "make_vec_env"]

_METHODS = frozenset({"action_masks", "render", "state"})


def make_vec_env(
    id: str,
    n_envs: int = 1,
    *,
    seed: int | None = None,
    monitor: bool = True,
    env_kwargs: Mapping[str, Any] | None = None,
    **make_keywords: Any,
) -> VecEnv:
    """Makes environments for Stable-Baselines3.

    Args:
        id: What ``gymnasium.make_vec`` takes: ``"openenv/Connect4-v0"``.
        n_envs: Number of lanes.
        seed: Of lane i: seed + i, at the first reset.
        monitor: Record returns and lengths of episodes, by SB3's ``VecMonitor``.
        **make_keywords: The other keywords of ``gymnasium.make_vec``: ``transport``, ``workers``,
            ``on_failure``, options of the environment.
        env_kwargs: Further such keywords, as Stable-Baselines3's function of this name takes them.

    Raises:
        OptionError: The id is not one of ours, or a keyword is wrong.
        TransportError: The transport could not be started or connected.
    """
    make_keywords = {**(env_kwargs or {}), **make_keywords}
    if "autoreset_mode" in make_keywords:
        raise OptionError(
            "autoreset_mode= cannot be chosen here: Stable-Baselines3 resets in the same step. "
            "Leave it out.",
            autoreset_mode=make_keywords["autoreset_mode"],
        )
    spec = gymnasium.registry.get(id.rpartition(":")[2])
    if spec is not None and spec.vector_entry_point != _VECTOR_ENTRY_POINT:
        raise OptionError(
            f"{id} is not an environment of openenv-gym. Register one of your own by "
            "openenv_gym.register_environment, or use Stable-Baselines3's own make_vec_env.",
            id=id,
        )
    made = gymnasium.make_vec(
        id,
        num_envs=n_envs,
        vectorization_mode="vector_entry_point",
        autoreset_mode=AutoresetMode.SAME_STEP.value,
        **make_keywords,
    )
    envs: VecEnv = OpenEnvVecEnv(cast(OpenEnvVectorEnv, made))
    if seed is not None:
        envs.seed(seed)
        envs.action_space.seed(seed)
    return VecMonitor(envs) if monitor else envs


class OpenEnvVecEnv(VecEnv):
    """A vector environment of ours as a Stable-Baselines3 ``VecEnv``.

    Args:
        envs: Lanes that reset in the same step.

    Raises:
        OptionError: They reset at another time.
    """

    def __init__(self, envs: OpenEnvVectorEnv) -> None:
        mode = envs.metadata["autoreset_mode"]
        if mode is not AutoresetMode.SAME_STEP:
            raise OptionError(
                f"Stable-Baselines3 resets in the same step, these lanes in the mode {mode.value}: "
                "make them with autoreset_mode='SameStep', or by openenv_gym.sb3.make_vec_env.",
                autoreset_mode=mode.value,
            )
        self.envs = envs
        self.spec = envs.spec
        self._actions: Any = None
        super().__init__(envs.num_envs, envs.single_observation_space, envs.single_action_space)
        self.metadata = {k: v for k, v in envs.metadata.items() if k != "autoreset_mode"}

    def reset(self) -> VecEnvObs:
        """Implements VecEnv.reset; seeds and options are used once."""
        options = self._options[0]
        if any(other != options for other in self._options):
            raise OptionError(
                "The lanes are reset together: set_options() takes one dict for all.",
                options=list(self._options),
            )
        observations, infos = self.envs.reset(seed=list(self._seeds), options=dict(options))
        self.reset_infos = rows_of(infos, self.num_envs)
        self._reset_seeds()
        self._reset_options()
        return cast(VecEnvObs, observations)

    def step_async(self, actions: NDArray[Any]) -> None:
        """Implements VecEnv.step_async; all is done by :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> VecEnvStepReturn:
        """Implements VecEnv.step_wait."""
        observations, rewards, terminated, truncated, infos = self.envs.step(self._actions)
        dones = terminated | truncated
        rows = self._ended(infos, dones) if dones.any() else rows_of(infos, self.num_envs)
        for row, cut in zip(rows, (truncated & ~terminated).tolist(), strict=True):
            row["TimeLimit.truncated"] = cut
        return observations, rewards.astype(np.float32), dones, rows

    def _ended(self, infos: dict[str, Any], dones: NDArray[np.bool_]) -> list[dict[str, Any]]:
        """The infos of a step in which episodes ended: theirs are the last ones of these."""
        finals = infos.pop("final_obs")
        last = rows_of(infos.pop("final_info", {}), self.num_envs)
        for key in ("_final_obs", "_final_info"):
            infos.pop(key, None)
        rows = rows_of(infos, self.num_envs)
        for lane in np.flatnonzero(dones).tolist():
            self.reset_infos[lane], rows[lane] = rows[lane], last[lane]
            rows[lane]["terminal_observation"] = finals[lane]
        return rows

    def close(self) -> None:
        """Implements VecEnv.close; may be called twice."""
        self.envs.close()

    def has_attr(self, attr_name: str) -> bool:
        """Implements VecEnv.has_attr, without a round trip."""
        if attr_name == "action_masks":
            return isinstance(self.action_space, Discrete)
        return attr_name in _METHODS or super().has_attr(attr_name)

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """Implements VecEnv.get_attr, for what the environments export, and what all have.

        Raises:
            NoSuchAttributeError: They do not export it.
        """
        lanes = self._lanes(indices)
        if attr_name == "action_masks" and not self.has_attr(attr_name):
            raise NoSuchAttributeError(
                f"There are no masks for the actions {self.action_space}, which are not Discrete: "
                "take PPO instead of MaskablePPO.",
                attribute=attr_name,
            )
        if attr_name in _METHODS or self.envs.is_method(attr_name):
            return [functools.partial(self._of_lane, attr_name, lane) for lane in lanes]
        if attr_name in ("action_space", "observation_space"):
            return [getattr(self, attr_name)] * len(lanes)
        values = self.envs.get_attr(attr_name)
        return [values[lane] for lane in lanes]

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        """Implements VecEnv.set_attr.

        Raises:
            NoSuchAttributeError: It is not to be set: what makes an environment are its options.
        """
        self.envs.set_attr(attr_name, [value] * self.num_envs, self._lanes(indices))

    def env_method(
        self,
        method_name: str,
        *method_args: Any,
        indices: VecEnvIndices = None,
        **method_kwargs: Any,
    ) -> list[Any]:
        """Implements VecEnv.env_method: ``action_masks``, ``state``, ``render``, and exports.

        Raises:
            NoSuchAttributeError: It is not one of these.
        """
        if method_name == "action_masks":
            values: Sequence[Any] | NDArray[Any] = self.envs.action_masks()
        else:
            values = self.envs.call(method_name, *method_args, **method_kwargs)
        return [values[lane] for lane in self._lanes(indices)]

    def _of_lane(self, method_name: str, lane: int) -> Any:
        return self.env_method(method_name, indices=lane)[0]

    def env_is_wrapped(
        self,
        wrapper_class: type[gymnasium.Wrapper[Any, Any, Any, Any]],
        indices: VecEnvIndices = None,
    ) -> list[bool]:
        """Implements VecEnv.env_is_wrapped: the lanes have no wrappers."""
        return [False for _ in self._lanes(indices)]

    def get_images(self) -> Sequence[NDArray[Any] | None]:
        """Implements VecEnv.get_images."""
        if self.render_mode == "rgb_array":
            return self.envs.render() or ()
        warnings.warn(
            f"There are no images with render_mode={self.render_mode!r}: give "
            "render_mode='rgb_array' to make_vec_env.",
            stacklevel=2,
        )
        return [None] * self.num_envs

    def _lanes(self, indices: VecEnvIndices) -> list[int]:
        if indices is None:
            return list(range(self.num_envs))
        return [indices] if isinstance(indices, int) else list(indices)
