"""SuperSuit: copies of an environment for several agents, as one vector environment of SB3.

    .ci/trainers && .build/trainers-venv/bin/python examples/trainers/supersuit_sb3.py

As in PettingZoo's tutorial for SB3. SuperSuit copies the environment by pickling it: each copy is a
new environment with the same arguments, and has its own process over ``transport="process"``.
"""

from __future__ import annotations

import supersuit
import torch
from stable_baselines3 import PPO

from openenv_gym.pettingzoo import parallel_env


def main() -> None:
    """Train one policy for the lights of two junctions, in two towns."""
    torch.set_num_threads(1)
    env = parallel_env("openenv/SumoRL-v0", net="double", num_seconds=60)
    lights = supersuit.pettingzoo_env_to_vec_env_v1(env)
    envs = supersuit.concat_vec_envs_v1(lights, 2, num_cpus=0, base_class="stable_baselines3")
    model = PPO("MlpPolicy", envs, n_steps=8, batch_size=8, n_epochs=1, seed=None, device="cpu")
    model.learn(64)
    print(f"{envs.num_envs} agents, {model.num_timesteps} steps")
    envs.close()
    env.close()


if __name__ == "__main__":
    main()
