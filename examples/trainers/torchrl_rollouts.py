"""TorchRL: specs checked, rollouts of legal actions, parallel and vector environments, PettingZoo.

.ci/trainers && .build/trainers-venv/bin/python examples/trainers/torchrl_rollouts.py
"""

from __future__ import annotations

import gymnasium
import torch
from torchrl.envs import GymEnv, GymWrapper, ParallelEnv, PettingZooWrapper
from torchrl.envs.utils import check_env_specs

import openenv_gym  # noqa: F401  # registers openenv/*
from openenv_gym.pettingzoo import parallel_env
from openenv_gym.torchrl import with_action_mask  # texts too, from here on

ID = "openenv/Connect4-v0"


def make() -> GymEnv:
    """Return one game; ParallelEnv makes it in a process of its own."""
    return GymEnv(ID, opponent="random")


def main() -> None:
    """Play a little in each way."""
    torch.manual_seed(0)
    for env in (make(), GymEnv("openenv/Echo-v0"), GymEnv("openenv/Atari.pong-v0")):
        check_env_specs(env)
        env.close()

    masked = with_action_mask(make())
    masked.set_seed(0)
    game = masked.rollout(100)
    assert (game["action_mask"] & game["action"].bool()).any(-1).all()
    print(f"a game of legal actions: {game.shape[0]} steps")
    masked.close()

    parallel = ParallelEnv(2, make)
    print("parallel:", tuple(parallel.rollout(8, break_when_any_done=False).shape))
    parallel.close()

    envs = gymnasium.make_vec(ID, num_envs=3, opponent="random", autoreset_mode="SameStep")
    lanes = GymWrapper(envs)
    print("lanes:", tuple(lanes.rollout(8, break_when_any_done=False).shape))
    lanes.close()

    players = PettingZooWrapper(parallel_env(ID, opponent="self"), return_state=False)
    check_env_specs(players)
    print("players:", tuple(players.rollout(8).shape))
    players.close()


if __name__ == "__main__":  # ParallelEnv may import this module again
    main()
