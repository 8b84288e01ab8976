"""CleanRL: runs single-file training scripts, written for gymnasium 0.29, as they are.

::

    python -m openenv_gym.cleanrl ppo.py --env-id openenv/Connect4-v0 --total-timesteps 100000
    python -m openenv_gym.cleanrl --option opponent=random ppo.py --env-id openenv/Connect4-v0

What is before the script is ours, what comes after it is the script's own. Scripts of CleanRL's
kind know an id and nothing else, so ``--option`` gives the other keywords of ``gymnasium.make``:
options of the environment, ``transport``, ``url``, ``max_episode_steps``. The transport can also be
set by ``OPENENV_GYM_TRANSPORT``.

While a script runs, and no longer, gymnasium is changed in the places that :func:`_changes` lists;
:func:`gymnasium_029` does the same around code of your own. Scripts that import ``gym`` are beyond
this, and so are those that put wrappers of single environments around a vector environment.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import runpy
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, SupportsFloat

import gymnasium
import numpy as np
from gymnasium import vector, wrappers
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Space
from gymnasium.vector import AutoresetMode

from openenv_gym import _ENTRY_POINT
from openenv_gym.cli.arguments import add_options, options_of
from openenv_gym.errors import (
    OpenEnvGymError,
    OptionError,
    RegistryError,
    missing_package,
)

__all__ = ["gymnasium_029", "main", "run"]

Env = gymnasium.Env[Any, Any]

_ID_FLAGS = ("--env-id", "--env_id", "--gym-id", "--gym_id")
_VIDEO_FLAGS = ("--capture-video", "--capture_video")
_WRONG_USAGE = 2


def main(words: Sequence[str] | None = None) -> int:
    """Runs a script as the command line says.

    Args:
        words: The command line; by default that of the process.

    Returns:
        The exit code: 0, or 2 where an error was printed. What the script raises is not caught.
    """
    parser = argparse.ArgumentParser(
        prog="python -m openenv_gym.cleanrl",
        description="Runs a script written for gymnasium 0.29, such as CleanRL's, on OpenEnv "
        "environments.",
        epilog="The variable OPENENV_GYM_TRANSPORT sets the transport.",
    )
    add_options(
        parser,
        "keyword of gymnasium.make, for environments of OpenEnv: an option of the environment, "
        "transport, url, ...",
    )
    parser.add_argument("script", type=Path, help="the script")
    parser.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="its own: --env-id openenv/Connect4-v0 ..."
    )
    parsed = parser.parse_args(words)
    try:
        options = options_of(parsed.option)
        _check(parsed.script, parsed.arguments, options)
    except OpenEnvGymError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return _WRONG_USAGE
    run(parsed.script, parsed.arguments, options)
    return 0


def run(
    script: str | Path, arguments: Sequence[str] = (), options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Runs a script as ``python script`` does, in this process.

    Args:
        script: Its file.
        arguments: Its command line.
        options: Keywords of ``gymnasium.make`` for environments of OpenEnv.

    Returns:
        The script's global names.
    """
    argv, path = sys.argv, sys.path
    sys.argv = [str(script), *arguments]
    # Where it looks for modules first, as under ``python script``.
    sys.path = [str(Path(script).resolve().parent), *path]
    try:
        with gymnasium_029(options):
            return runpy.run_path(str(script), run_name="__main__")
    finally:
        sys.argv, sys.path = argv, path


@contextmanager
def gymnasium_029(options: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Lets code that was written for gymnasium 0.29 run on 1.x, while the block runs.

    Args:
        options: Keywords of ``gymnasium.make`` for environments of OpenEnv.
    """
    # None for a name that is not there yet; the modules' own __getattr__ is not asked.
    replaced: list[tuple[ModuleType, str, Any]] = []
    try:
        for module, name, value in _changes(dict(options or {})):
            replaced.append((module, name, vars(module).get(name)))
            setattr(module, name, value)
        yield
    finally:
        for module, name, value in reversed(replaced):
            if value is None:
                delattr(module, name)
            else:
                setattr(module, name, value)


def _changes(options: dict[str, Any]) -> list[tuple[ModuleType, str, Any]]:
    """All that is changed in gymnasium: module, name, what it is meanwhile."""
    return [
        # Such scripts give an id and no keywords.
        (gymnasium, "make", _make_with(options)),
        # They reset in the same step, and look for final_observation and for dicts in final_info.
        (vector, "SyncVectorEnv", _SyncVectorEnv),
        (vector, "AsyncVectorEnv", type("AsyncVectorEnv", (_AsyncVectorEnv,), {"given": options})),
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


def _make_with(options: dict[str, Any]) -> Callable[..., Env]:
    """``gymnasium.make`` with keywords for environments of OpenEnv."""
    make = gymnasium.make

    @functools.wraps(make)
    def make_with_options(id: str | EnvSpec, *args: Any, **keywords: Any) -> Env:
        # Not for others: an environment of ours may itself make one of those.
        if options and _is_ours(id):
            keywords = {**options, **keywords}
        return make(id, *args, **keywords)

    return make_with_options


def _is_ours(id: str | EnvSpec) -> bool:
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
    """As :class:`_SyncVectorEnv`, in processes.

    Attributes:
        given: The keywords of ``gymnasium.make`` there.
    """

    given: ClassVar[dict[str, Any]] = {}

    def __init__(self, env_fns: Iterable[Callable[[], Env]], **keywords: Any) -> None:
        made = [_InWorker(self.given, env_fn) for env_fn in env_fns]
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

    def __init__(self, options: dict[str, Any], env_fn: Callable[[], Env]) -> None:
        self._options, self._env_fn = options, env_fn

    def __call__(self) -> Env:
        with gymnasium_029(self._options):
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


def _check(script: Path, arguments: Sequence[str], options: Mapping[str, Any]) -> None:
    """What can be known to be wrong before a script has imported torch and made its folders.

    Raises:
        OptionError: There is no such script.
        RegistryError: There is no environment of that id.
        MissingDependencyError: Videos are asked for and cannot be written.
    """
    if not script.is_file():
        hint = " Options of ours come as --option NAME=VALUE." if "=" in script.name else ""
        raise OptionError(f"There is no script {script}.{hint}", script=str(script))
    id = _value_of(_ID_FLAGS, arguments)
    if id is not None:
        try:
            ours = _is_ours(id)
            gymnasium.spec(id.rpartition(":")[2])
        except (gymnasium.error.Error, ImportError) as error:
            raise RegistryError(
                f"There is no environment {id!r} ({error}). If another package registers it, name "
                "that: 'module:ns/Name-v0'.",
                id=id,
            ) from error
        if options and not ours:
            raise OptionError(
                f"--option is for environments of OpenEnv, and {id} is none. To run it behind a "
                f"transport: --env-id openenv/Gymnasium-v0 with --option env_id={id}.",
                id=id,
            )
    if any(flag in arguments for flag in _VIDEO_FLAGS) and not importlib.util.find_spec("moviepy"):
        raise missing_package("--capture-video", "moviepy", "cleanrl")


def _value_of(flags: Sequence[str], arguments: Sequence[str]) -> str | None:
    """The value of a flag on a command line that is not ours to parse."""
    for number, word in enumerate(arguments):
        flag, equals, value = word.partition("=")
        if flag in flags:
            return value if equals else next(iter(arguments[number + 1 :]), None)
    return None


if __name__ == "__main__":
    # From its module, not from here: the script takes the name __main__ over, and workers could not
    # find our classes by it.
    from openenv_gym.cleanrl import main as run_main

    raise SystemExit(run_main())
