"""Stable-Baselines3 and sb3-contrib: all algorithms, on SB3's vector environments and on ours.

    OPENENV_GYM_TRANSPORT=process python examples/trainers/sb3_algorithms.py

SB3 makes its own from an id that names the package that registers it.
"""

from __future__ import annotations

from typing import Any

import torch
from sb3_contrib import ARS, QRDQN, TQC, TRPO, CrossQ, MaskablePPO, RecurrentPPO
from stable_baselines3 import A2C, DDPG, DQN, PPO, SAC, TD3
from stable_baselines3.common.callbacks import EvalCallback
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import SubprocVecEnv, VecEnv

from openenv_gym import sb3

Task = tuple[str, dict[str, Any]]
BOARD: Task = ("openenv/Connect4-v0", {"opponent": "random"})
POLE: Task = ("openenv/Gymnasium-v0", {"env_id": "CartPole-v1"})  # ARS has no network for boards
PENDULUM: Task = ("openenv/Gymnasium-v0", {"env_id": "Pendulum-v1"})
ROLLOUT: dict[str, Any] = {"n_steps": 16}
BATCHES: dict[str, Any] = {**ROLLOUT, "batch_size": 16}
EPOCHS: dict[str, Any] = {**BATCHES, "n_epochs": 1}
REPLAY: dict[str, Any] = {"learning_starts": 20, "train_freq": 8, "buffer_size": 500}
ALGORITHMS: list[tuple[Any, str, Task, dict[str, Any]]] = [
    (PPO, "MlpPolicy", BOARD, EPOCHS),
    (A2C, "MlpPolicy", BOARD, ROLLOUT),
    (DQN, "MlpPolicy", BOARD, REPLAY),
    (SAC, "MlpPolicy", PENDULUM, REPLAY),
    (TD3, "MlpPolicy", PENDULUM, REPLAY),
    (DDPG, "MlpPolicy", PENDULUM, REPLAY),
    (MaskablePPO, "MlpPolicy", BOARD, EPOCHS),
    (RecurrentPPO, "MlpLstmPolicy", BOARD, EPOCHS),
    (TRPO, "MlpPolicy", BOARD, BATCHES),
    (QRDQN, "MlpPolicy", BOARD, REPLAY),
    (TQC, "MlpPolicy", PENDULUM, REPLAY),
    (CrossQ, "MlpPolicy", PENDULUM, REPLAY),
    (ARS, "MlpPolicy", POLE, {"n_delta": 1}),
]
STEPS = 48


def lanes_of_sb3(task: Task, **keywords: Any) -> VecEnv:
    """Return two games, made by SB3."""
    id, options = task
    return make_vec_env(f"openenv_gym:{id}", 2, seed=0, env_kwargs=options, **keywords)


def our_lanes(task: Task) -> VecEnv:
    """Return two games, as lanes of one session."""
    id, options = task
    return sb3.make_vec_env(id, 2, seed=0, **options)


def main() -> None:
    """Train each algorithm for a few steps in both ways, and evaluate one on the way."""
    torch.set_num_threads(1)
    for algorithm, policy, task, settings in ALGORITHMS:
        for make in (lanes_of_sb3, our_lanes):
            envs = make(task)
            model = algorithm(policy, envs, seed=0, device="cpu", **settings)
            model.learn(STEPS)
            print(f"{algorithm.__name__} on {make.__name__}: {model.num_timesteps} steps")
            envs.close()

    envs, games = (lanes_of_sb3(BOARD, vec_env_cls=SubprocVecEnv) for _ in range(2))
    callback = EvalCallback(games, n_eval_episodes=2, eval_freq=16, verbose=0, warn=False)
    model = PPO("MlpPolicy", envs, seed=0, device="cpu", **EPOCHS).learn(STEPS, callback)
    ours = our_lanes(BOARD)
    mean, _ = evaluate_policy(model, ours, n_eval_episodes=4)
    print(f"mean returns: {callback.last_mean_reward:+.2f} on the way, {mean:+.2f} in the end")
    for made in (envs, games, ours):
        made.close()


if __name__ == "__main__":  # SubprocVecEnv may import this module again
    main()
