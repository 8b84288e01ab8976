"""What a vector environment has as gymnasium's own have it: kinds of errors, generators, a mode."""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ClosedEnvironmentError, ResetNeeded
from gymnasium.vector import AutoresetMode

from openenv_gym.errors import ActionError, OptionError


@pytest.fixture
def envs() -> Any:
    made = gymnasium.make_vec("openenv/Connect4-v0", num_envs=3, transport="inprocess", workers=2)
    yield made
    made.close()


def test_the_mode_is_an_attribute(envs: Any) -> None:
    assert envs.autoreset_mode is AutoresetMode.NEXT_STEP


def test_generators_are_those_of_the_seeds(envs: Any) -> None:
    first = envs.np_random_seed
    assert len(set(first)) == 3
    assert envs.np_random_seed == first
    envs.reset(seed=[5, None, 7])
    assert envs.np_random_seed == (5, first[1], 7)
    theirs = gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("openenv/Connect4-v0")] * 3)
    theirs.reset(seed=[5, None, 7])
    for lane in (0, 2):
        ours, wanted = envs.np_random[lane], theirs.np_random[lane]
        assert ours.integers(1000, size=5).tolist() == wanted.integers(1000, size=5).tolist()
    envs.reset(seed=9, options={"reset_mask": np.array([False, True, False])})
    assert envs.np_random_seed == (5, 10, 7)
    theirs.close()


def test_bad_input_is_a_value_error(envs: Any) -> None:
    envs.reset(seed=0)
    with pytest.raises(ValueError, match="not in the action space") as raised:
        envs.step([0, 9, 0])
    assert isinstance(raised.value, ActionError)
    with pytest.raises(ValueError, match="reset_mask") as refused:
        envs.reset(options={"reset_mask": [True]})
    assert isinstance(refused.value, OptionError)
    with pytest.raises(TypeError, match="unexpected keyword argument 'colour'"):
        gymnasium.make_vec("openenv/Connect4-v0", num_envs=1, colour="red")


def test_after_close_everything_is_an_error_of_gymnasium(envs: Any) -> None:
    envs.reset(seed=0)
    envs.close()
    for call in (envs.reset, envs.render, lambda: envs.step([0, 0, 0])):
        with pytest.raises(ClosedEnvironmentError, match="closed"):
            call()


def test_kinds_of_a_single_environment() -> None:
    env = gymnasium.make("openenv/Connect4-v0", transport="process")
    with pytest.raises(ResetNeeded):
        env.unwrapped.step(0)
    env.reset(seed=0)
    with pytest.raises(ValueError, match="not in the action space"):
        env.unwrapped.step(9)
    env.close()
    with pytest.raises(ClosedEnvironmentError):
        env.reset()
    for transport in ("inprocess", "process"):
        with pytest.raises(TypeError, match="unexpected keyword argument 'frameskip'"):
            gymnasium.make("openenv/Connect4-v0", transport=transport, frameskip=1)
