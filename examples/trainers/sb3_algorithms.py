"""Stable-Baselines3 and sb3-contrib: several algorithms, on SB3's own vector environments.

    OPENENV_GYM_TRANSPORT=process python examples/trainers/sb3_algorithms.py

SB3 makes the environments itself, from an id that names the package that registers it.
"""

from __future__ import annotations

from typing import Any

import torch
from sb3_contrib import QRDQN, TRPO, MaskablePPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

ID = "openenv_gym:openenv/Connect4-v0"
ON_POLICY: dict[str, Any] = {"n_steps": 16}
OFF_POLICY: dict[str, Any] = {"learning_starts": 20, "train_freq": 8, "buffer_size": 500}
ALGORITHMS: list[tuple[Any, dict[str, Any]]] = [
    (PPO, {**ON_POLICY, "n_epochs": 1, "batch_size": 16}),
    (A2C, ON_POLICY),
    (DQN, OFF_POLICY),
    (MaskablePPO, {**ON_POLICY, "n_epochs": 1, "batch_size": 16}),
    (TRPO, {**ON_POLICY, "batch_size": 16}),
    (QRDQN, OFF_POLICY),
]
STEPS = 64


def main() -> None:
    """Train each algorithm for a few steps, and evaluate one of them."""
    torch.set_num_threads(1)
    made = {
        kind: make_vec_env(
            ID, n_envs=2, seed=0, vec_env_cls=kind, env_kwargs={"opponent": "random"}
        )
        for kind in (DummyVecEnv, SubprocVecEnv)
    }
    for algorithm, settings in ALGORITHMS:
        envs = made[SubprocVecEnv if algorithm is MaskablePPO else DummyVecEnv]
        model = algorithm("MlpPolicy", envs, seed=0, device="cpu", **settings)
        model.learn(STEPS)
        print(f"{algorithm.__name__}: {model.num_timesteps} steps")
    mean, _ = evaluate_policy(model, made[DummyVecEnv], n_eval_episodes=4)
    print(f"mean return of 4 games: {mean:+.2f}")
    for envs in made.values():
        envs.close()


if __name__ == "__main__":  # SubprocVecEnv may import this module again
    main()
