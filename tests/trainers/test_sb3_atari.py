from __future__ import annotations

from typing import cast

import gymnasium
import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from openenv_gym.sb3 import OpenEnvVecEnv
from openenv_gym.vector import OpenEnvVectorEnv


@pytest.mark.docker
def test_cnn_policy_on_lanes_in_a_container() -> None:
    envs = gymnasium.make_vec(
        "openenv/Atari-v0",
        num_envs=8,
        transport="docker",
        game="breakout",
        autoreset_mode="SameStep",
        max_num_frames=160,
    )
    monitored = VecMonitor(OpenEnvVecEnv(cast(OpenEnvVectorEnv, envs)))
    # On whole frames nearly all weights are behind the convolutions.
    small = {"features_extractor_kwargs": {"features_dim": 32}}
    settings: dict[str, int] = {"n_steps": 40, "batch_size": 160, "n_epochs": 1, "seed": 0}
    model = PPO("CnnPolicy", monitored, policy_kwargs=small, device="cpu", **settings)  # type: ignore[arg-type]
    model.learn(640)
    assert model.num_timesteps == 640
    assert model.ep_info_buffer
    assert model.ep_info_buffer[0]["l"] == 40
    monitored.close()
