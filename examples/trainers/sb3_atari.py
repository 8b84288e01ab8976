"""Stable-Baselines3 on Atari: ``make_atari_env`` with its wrappers, frames and evaluation.

OPENENV_GYM_TRANSPORT=process python examples/trainers/sb3_atari.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from stable_baselines3 import DQN
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_atari_env
from stable_baselines3.common.vec_env import VecFrameStack

ID = "openenv_gym:openenv/Atari.pong-v0"
STEPS = 200


def main() -> None:
    """Train DQN for a few steps, and evaluate it on the way."""
    torch.set_num_threads(1)
    # A game is cut short, so that there are whole ones to evaluate.
    keywords = {"max_num_frames": 400}
    envs = VecFrameStack(make_atari_env(ID, n_envs=2, seed=0, env_kwargs=keywords), 4)
    test_envs = VecFrameStack(make_atari_env(ID, n_envs=1, seed=1, env_kwargs=keywords), 4)
    with tempfile.TemporaryDirectory() as folder:
        callback = EvalCallback(
            test_envs,
            n_eval_episodes=1,
            eval_freq=STEPS // 4,
            best_model_save_path=folder,
            verbose=0,
        )
        model = DQN(
            "CnnPolicy",
            envs,
            seed=0,
            device="cpu",
            buffer_size=500,
            learning_starts=100,
            train_freq=16,
            batch_size=8,
            policy_kwargs={"features_extractor_kwargs": {"features_dim": 32}},
        )
        model.learn(STEPS, callback=callback)
        assert (Path(folder) / "best_model.zip").is_file()
    print(f"{model.num_timesteps} steps, mean return {callback.best_mean_reward:+.1f}")
    envs.close()
    test_envs.close()


if __name__ == "__main__":
    main()
