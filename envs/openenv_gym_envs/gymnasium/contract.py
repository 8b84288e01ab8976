"""The contract of Gymnasium: what its tests hold it to over every transport."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium

from openenv_gym.testing import EnvironmentContract, TrajectoryContract, assert_checked
from openenv_gym_envs.gymnasium.every_space import SPACES

_EVERY_SPACE = "openenv_gym_envs.gymnasium.every_space:openenv-test/EverySpace-v0"


class TestCartPole(EnvironmentContract):
    id = "openenv/Gymnasium-v0"
    options: ClassVar[dict[str, Any]] = {"env_id": "CartPole-v1"}


class _EverySpace(TrajectoryContract):
    id = "openenv/Gymnasium-v0"
    steps = 25

    def test_checker(self) -> None:
        env = gymnasium.make(self.id, **self.options)
        assert_checked(env)
        env.close()


for _kind in SPACES:
    _name = f"Test{_kind.title().replace('.', '')}Space"
    _options = {"env_id": _EVERY_SPACE, "env_kwargs": {"kind": _kind}}
    globals()[_name] = type(_name, (_EverySpace,), {"options": _options})
