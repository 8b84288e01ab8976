"""gymnasium as scripts written for 0.29 know it, while a block runs."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import vector, wrappers
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode

from openenv_gym import _ENTRY_POINT
from openenv_gym.cleanrl.flatten import Flattening

Env = gymnasium.Env[Any, Any]


@contextmanager
def gymnasium_029(
    options: Mapping[str, Any] | None = None, *, flattening: Flattening | None = None
) -> Iterator[None]:
    """Let code that was written for gymnasium 0.29 run on 1.x, while the block runs.

    Args:
        options: Keywords of ``gymnasium.make`` for environments of OpenEnv.
        flattening: Which of their observations are flattened; by default none.
    """
    # None for a name that is not there yet; the modules' own __getattr__ is not asked.
    replaced: list[tuple[ModuleType, str, Any]] = []
    try:
        for module, name, value in _changes(dict(options or {}), flattening or Flattening()):
            replaced.append((module, name, vars(module).get(name)))
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in reversed(replaced):
            if value is None:
                delattr(module, name)
            else:
                setattr(module, name, value)


def _changes(options: dict[str, Any], flattening: Flattening) -> list[tuple[ModuleType, str, Any]]:
    """Return all that is changed in gymnasium: module, name, what it is meanwhile."""
    in_worker = {"options": options, "flattening": flattening}
    return [
        # Such scripts give an id and no keywords.
        (gymnasium, "make", _make_with(options, flattening)),
        # They reset in the same step, and look for final_observation and for dicts in final_info.
        (vector, "SyncVectorEnv", _SyncVectorEnv),
        (vector, "AsyncVectorEnv", type("AsyncVectorEnv", (_AsyncVectorEnv,), in_worker)),
        # Its statistics were arrays of one number, which many read with [0].
        (wrappers, "RecordEpisodeStatistics", _RecordEpisodeStatistics),
        # Its observation space could be left out.
        (wrappers, "TransformObservation", _TransformObservation),
        # Renamed.
        (wrappers, "FrameStack", wrappers.FrameStackObservation),
        (wrappers, "GrayScaleObservation", wrappers.GrayscaleObservation),
        # Renamed, and it resets in the step after.
        (wrappers, "AutoResetWrapper", _AutoResetWrapper),
    ]


def _make_with(options: dict[str, Any], flattening: Flattening) -> Callable[..., Env]:
    """Return ``gymnasium.make`` with keywords for environments of OpenEnv."""
    make = gymnasium.make

    @functools.wraps(make)
    def make_with_options(id: str | EnvSpec, *args: Any, **keywords: Any) -> Env:
        # Not for others: an environment of ours may itself make one of those.
        if not is_ours(id):
            return make(id, *args, **keywords)
        env: Env = make(id, *args, **{**options, **keywords})
        return flattening.apply(env, id.id if isinstance(id, EnvSpec) else id)

    return make_with_options


def is_ours(id: str | EnvSpec) -> bool:
    """Whether an id is of an environment of OpenEnv; imports the module that it names."""
    if isinstance(id, EnvSpec):
        return id.entry_point == _ENTRY_POINT
    module, _, name = id.rpartition(":")
    if module:
        importlib.import_module(module)  # registers it
    spec = gymnasium.registry.get(name)
    return spec is not None and spec.entry_point == _ENTRY_POINT


class _SyncVectorEnv(vector.SyncVectorEnv):
    """Resets in the same step, and its infos have the names and forms of 0.29."""

    def __init__(self, env_fns: Iterable[Callable[[], Env]], **keywords: Any) -> None:
        super().__init__(list(env_fns), **_same_step(keywords))

    def _add_info(
        self, vector_infos: dict[str, Any], env_info: dict[str, Any], env_num: int
    ) -> dict[str, Any]:
        left = _keep_final(vector_infos, env_info, env_num, self.num_envs)
        return super()._add_info(vector_infos, left, env_num)


class _AsyncVectorEnv(vector.AsyncVectorEnv):
    """Like :class:`_SyncVectorEnv`, in processes.

    Attributes:
        options: Keywords of ``gymnasium.make`` there.
        flattening: Which observations are flattened there.
    """

    options: ClassVar[dict[str, Any]] = {}
    flattening: ClassVar[Flattening] = Flattening()

    def __init__(self, env_fns: Iterable[Callable[[], Env]], **keywords: Any) -> None:
        made = [_InWorker(self.options, self.flattening, env_fn) for env_fn in env_fns]
        super().__init__(made, **_same_step(keywords))

    def _add_info(
        self, vector_infos: dict[str, Any], env_info: dict[str, Any], env_num: int
    ) -> dict[str, Any]:
        left = _keep_final(vector_infos, env_info, env_num, self.num_envs)
        return super()._add_info(vector_infos, left, env_num)


class _InWorker:
    """Makes an environment in a process that may have been started afresh.

    There nothing is registered and nothing is changed, until unpickling this imports this module.
    """

    def __init__(
        self, options: dict[str, Any], flattening: Flattening, env_fn: Callable[[], Env]
    ) -> None:
        self._options, self._flattening, self._env_fn = options, flattening, env_fn

    def __call__(self) -> Env:
        with gymnasium_029(self._options, flattening=self._flattening):
            return self._env_fn()


def _same_step(keywords: dict[str, Any]) -> dict[str, Any]:
    return {"autoreset_mode": AutoresetMode.SAME_STEP, **keywords}


def _keep_final(
    infos: dict[str, Any], info: dict[str, Any], number: int, count: int
) -> dict[str, Any]:
    """Puts what is final in an info where 0.29 had it, as it is; gives the rest of the info."""
    rest = dict(info)
    for name, old_name in (("final_obs", "final_observation"), ("final_info", "final_info")):
        if name in rest:
            values = infos.setdefault(old_name, np.full(count, None, object))
            values[number] = rest.pop(name)
            infos.setdefault(f"_{old_name}", np.zeros(count, np.bool_))[number] = True
    return rest


class _One(np.ndarray[Any, Any]):
    """An array of one number, which float() and int() take, as they did before numpy 2.4."""

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())


class _RecordEpisodeStatistics(wrappers.RecordEpisodeStatistics[Any, Any]):
    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        if self._stats_key in info:
            info[self._stats_key] = {
                "r": np.array([info[self._stats_key]["r"]], np.float32).view(_One),
                "l": np.array([info[self._stats_key]["l"]], np.int32).view(_One),
                "t": np.array([info[self._stats_key]["t"]], np.float32).view(_One),
            }
        return observation, reward, terminated, truncated, info


class _TransformObservation(wrappers.TransformObservation[Any, Any, Any]):
    def __init__(
        self, env: Env, f: Callable[[Any], Any], observation_space: Space[Any] | None = None
    ) -> None:
        super().__init__(env, f, observation_space)


class _AutoResetWrapper(gymnasium.Wrapper[Any, Any, Any, Any]):
    def step(self, action: Any) -> tuple[Any, SupportsFloat, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            final = {"final_observation": observation, "final_info": info}
            observation, info = self.env.reset()
            info = {**info, **final}
        return observation, reward, terminated, truncated, info
