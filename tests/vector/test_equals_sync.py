"""The vector environment is SyncVectorEnv over as many single ones, bit for bit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import openenv_gym  # noqa: F401  # registers the ids
from openenv_gym.registry import TRANSPORTS
from openenv_gym.testing import same

_EVERY_SPACE = "openenv_gym_envs.gymnasium.every_space:openenv-test/EverySpace-v0"
_LANES = 5
_MODES = list(AutoresetMode)
_TRANSPORTS = [
    pytest.param(name, marks=pytest.mark.docker) if name == "docker" else name
    for name in TRANSPORTS
    if name != "ray"  # its actors take seconds to start: tests/transports/test_ray.py has one
]


def _every(kind: str) -> dict[str, Any]:
    return {"env_id": _EVERY_SPACE, "env_kwargs": {"kind": kind}}


_CASES: dict[str, tuple[str, dict[str, Any], int | None]] = {
    "connect4": ("openenv/Connect4-v0", {"opponent": "random"}, None),
    "box": ("openenv/Gymnasium-v0", {"env_id": "CartPole-v1"}, 7),
    "dict": ("openenv/Gymnasium-v0", _every("Dict"), 3),
    "utf8": ("openenv/Gymnasium-v0", _every("Utf8"), 3),
    "tuple": ("openenv/Gymnasium-v0", _every("Tuple"), None),
    "graph": ("openenv/Gymnasium-v0", _every("Graph"), None),
}


def _pair(
    case: str, mode: AutoresetMode, transport: str, workers: int
) -> tuple[VectorEnv[Any, Any, Any], VectorEnv[Any, Any, Any]]:
    id, options, limit = _CASES[case]
    ours = gymnasium.make_vec(
        id,
        num_envs=_LANES,
        workers=workers,
        autoreset_mode=mode,
        max_episode_steps=limit,
        transport=transport,
        **options,
    )

    def single() -> gymnasium.Env[Any, Any]:
        return gymnasium.make(id, transport="inprocess", max_episode_steps=limit or -1, **options)

    return ours, SyncVectorEnv([single] * _LANES, autoreset_mode=mode)


def _alike(ours: Any, theirs: Any, where: str) -> None:
    """The same; the order in which infos came to be is all one."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys(), where
        for key in theirs:
            _alike(ours[key], theirs[key], f"{where}[{key!r}]")
    elif type(theirs) is tuple or (isinstance(theirs, np.ndarray) and theirs.dtype == object):
        assert type(ours) is type(theirs), where
        for row, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            _alike(one, other, f"{where}[{row}]")
    else:
        assert same(ours, theirs), f"{where}: {ours!r} is not {theirs!r}"


def _compare(ours: VectorEnv[Any, Any, Any], theirs: VectorEnv[Any, Any, Any], seed: int) -> None:
    disabled = ours.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    _alike(ours.reset(seed=seed), theirs.reset(seed=seed), "reset")
    theirs.action_space.seed(seed)
    for number in range(30):
        actions = theirs.action_space.sample()
        if ours.single_action_space == gymnasium.spaces.Discrete(7):
            # Legal ones, or the games end at once.
            actions = np.array([int(mask.argmax()) for mask in ours.action_masks()])
        got, wanted = ours.step(actions), theirs.step(actions)
        _alike(got, wanted, f"step {number}")
        over = wanted[2] | wanted[3]
        if disabled and over.any():
            options = [{"reset_mask": over.copy()} for _ in range(2)]
            _alike(ours.reset(options=options[0]), theirs.reset(options=options[1]), "mask")


@pytest.mark.parametrize("mode", _MODES, ids=lambda mode: mode.value)
@pytest.mark.parametrize("case", _CASES)
def test_in_process(case: str, mode: AutoresetMode) -> None:
    ours, theirs = _pair(case, mode, "inprocess", workers=2)
    try:
        assert ours.observation_space == theirs.observation_space
        assert ours.action_space == theirs.action_space

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.integers(0, 2**31))
        def check(seed: int) -> None:
            _compare(ours, theirs, seed)

        check()
    finally:
        ours.close()
        theirs.close()


@pytest.fixture(params=_TRANSPORTS)
def transport(request: pytest.FixtureRequest) -> Iterator[str]:
    return request.param


@pytest.mark.parametrize("mode", _MODES, ids=lambda mode: mode.value)
def test_over_each_transport(transport: str, mode: AutoresetMode) -> None:
    for case in ("connect4", "dict", "utf8"):
        ours, theirs = _pair(case, mode, transport, workers=2)
        try:
            for seed in (1, 2):
                _compare(ours, theirs, seed)
        finally:
            ours.close()
            theirs.close()
