from __future__ import annotations

import pytest

pytest.importorskip("stable_baselines3")

from stable_baselines3 import PPO

from openenv_gym.sb3 import make_vec_env

STEPS = 2000


@pytest.mark.docker
@pytest.mark.timeout(300)
def test_cnn_policy_on_lanes_in_a_container() -> None:
    envs = make_vec_env(
        "openenv/Atari-v0",
        8,
        seed=0,
        transport="docker",
        game="breakout",
        max_num_frames=160,  # so that there are returns of whole episodes
    )
    # On whole frames nearly all weights are behind the convolutions.
    small = {"features_extractor_kwargs": {"features_dim": 32}}
    model = PPO(
        "CnnPolicy",
        envs,
        policy_kwargs=small,
        device="cpu",
        n_steps=50,
        batch_size=200,
        n_epochs=1,
        seed=0,
    )
    before = [weights.detach().clone() for weights in model.policy.parameters()]
    model.learn(STEPS)
    assert model.num_timesteps == STEPS
    assert model.ep_info_buffer
    assert {episode["l"] for episode in model.ep_info_buffer} == {40}
    after = model.policy.parameters()
    assert all((one != other).any() for one, other in zip(before, after, strict=True))
    envs.close()
