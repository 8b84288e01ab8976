"""Tianshou: DQN on environments in processes, with and without shared memory.

.ci/trainers && .build/trainers-venv/bin/python examples/trainers/tianshou_dqn.py
"""

from __future__ import annotations

from typing import Any

import gymnasium
import torch
from tianshou.algorithm import DQN
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import ShmemVectorEnv, SubprocVectorEnv
from tianshou.trainer import OffPolicyTrainerParams
from tianshou.utils.net.common import Net

import openenv_gym  # noqa: F401  # registers openenv/*

ID = "openenv/Connect4-v0"
STEPS = 200


def make() -> gymnasium.Env[Any, Any]:
    """Return one game, in the process that calls."""
    return gymnasium.make(ID, opponent="random")


def main() -> None:
    """Train for one epoch in each way."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for kind in (SubprocVectorEnv, ShmemVectorEnv):
        training, test = kind([make] * 2), kind([make] * 2)
        training.seed(0)
        test.seed(1)
        board, actions = training.observation_space[0], training.action_space[0]
        policy = DiscreteQLearningPolicy(
            model=Net(state_shape=board.shape, action_shape=actions.n, hidden_sizes=[32]),
            action_space=actions,
            observation_space=board,
            eps_training=0.3,
        )
        algorithm = DQN(policy=policy, optim=AdamOptimizerFactory(lr=1e-3), target_update_freq=50)
        result = algorithm.run_training(
            OffPolicyTrainerParams(
                training_collector=Collector(algorithm, training, VectorReplayBuffer(500, 2)),
                test_collector=Collector(algorithm, test),
                max_epochs=1,
                epoch_num_steps=STEPS,
                collection_step_num_env_steps=20,
                test_step_num_episodes=4,
                batch_size=16,
                update_step_num_gradient_steps_per_sample=0.1,
                show_progress=False,
            )
        )
        print(f"{kind.__name__}: {result.train_step} steps, best return {result.best_reward}")
        training.close()
        test.close()


if __name__ == "__main__":
    main()
