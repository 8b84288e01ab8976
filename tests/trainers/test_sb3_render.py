"""Stable-Baselines3 asks for pictures first: what shows nothing is made without."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from gymnasium.spaces import Discrete

pytest.importorskip("stable_baselines3")

from stable_baselines3 import DQN, HerReplayBuffer
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.envs import BitFlippingEnv

import openenv_gym
from openenv_gym import Action, Environment, Observation, State, sb3


class Press(Action):
    button: Annotated[int, Discrete(2)]


class Light(Observation):
    on: Annotated[int, Discrete(2)]


class Lamp(Environment[Press, Light, State]):
    """Has no render modes."""

    def reset(self, seed: int | None = None, **options: Any) -> Light:
        return Light(on=0)

    def step(self, action: Press) -> Light:
        return Light(on=action.button, reward=1.0)

    @property
    def state(self) -> State:
        return State()


class Goal(BitFlippingEnv):
    """A ``gymnasium.Env`` for HER, which has no render modes."""

    def __init__(self) -> None:
        super().__init__(n_bits=3, continuous=False, max_steps=3)


openenv_gym.register_environment("test_sb3/Lamp-v0", Lamp, max_episode_steps=5)
openenv_gym.register_environment("test_sb3/Goal-v0", Goal, max_episode_steps=3)


def test_no_render_modes() -> None:
    envs = make_vec_env("test_sb3/Lamp-v0", 2, seed=0)
    assert envs.reset().tolist() == [0, 0]
    assert envs.render_mode is None
    envs.close()


@pytest.mark.parametrize("make", [make_vec_env, sb3.make_vec_env])
def test_hindsight_replay_computes_rewards(make: Any) -> None:
    envs = make("test_sb3/Goal-v0", 1, seed=0)
    settings = {"learning_starts": 12, "train_freq": 4, "buffer_size": 100, "batch_size": 8}
    buffer = HerReplayBuffer
    model = DQN("MultiInputPolicy", envs, replay_buffer_class=buffer, device="cpu", **settings)
    model.learn(24)
    assert model.num_timesteps == 24
    envs.close()
