"""Q-learning in one file, with gymnasium 0.29's API as scripts of CleanRL's kind use it."""

import random
from collections import deque
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
import tyro
from torch import nn, optim


@dataclass
class Args:
    env_id: str = "CartPole-v1"
    """id of the environment"""
    total_timesteps: int = 200
    """steps"""
    num_envs: int = 1
    """environments beside each other"""
    batch_size: int = 32
    """transitions of an update"""
    seed: int = 1
    """of everything"""


def make_env(env_id, seed):
    def thunk():
        env = gym.make(env_id)
        env = gym.wrappers.RecordEpisodeStatistics(env)
        env.action_space.seed(seed)
        return env

    return thunk


class QNetwork(nn.Module):
    def __init__(self, env):
        super().__init__()
        inputs = np.array(env.single_observation_space.shape).prod()
        self.network = nn.Sequential(
            nn.Linear(inputs, 32), nn.ReLU(), nn.Linear(32, env.single_action_space.n)
        )

    def forward(self, x):
        return self.network(x)


if __name__ == "__main__":
    args = tyro.cli(Args)
    random.seed(args.seed)
    torch.manual_seed(args.seed)
    envs = gym.vector.SyncVectorEnv(
        [make_env(args.env_id, args.seed + i) for i in range(args.num_envs)]
    )
    q_network = QNetwork(envs)
    optimizer = optim.Adam(q_network.parameters())
    buffer = deque(maxlen=1000)
    truncated_ends = 0

    obs, _ = envs.reset(seed=args.seed)
    for global_step in range(args.total_timesteps):
        if random.random() < 0.5:
            actions = np.array([envs.single_action_space.sample() for _ in range(envs.num_envs)])
        else:
            actions = q_network(torch.Tensor(obs)).argmax(dim=1).cpu().numpy()
        next_obs, rewards, terminations, truncations, infos = envs.step(actions)

        if "final_info" in infos:
            for info in infos["final_info"]:
                if info and "episode" in info:
                    print(f"global_step={global_step}, episodic_return={info['episode']['r']}")
                    assert float(info["episode"]["l"]) > 0

        real_next_obs = next_obs.copy()
        for idx, trunc in enumerate(truncations):
            if trunc:
                real_next_obs[idx] = infos["final_observation"][idx]
                assert infos["_final_observation"][idx]
                # What next_obs has is the beginning of the next episode.
                assert not np.array_equal(real_next_obs[idx], next_obs[idx])
                truncated_ends += 1
        buffer.extend(zip(obs, real_next_obs, actions, rewards, terminations, strict=True))
        obs = next_obs

        if len(buffer) >= args.batch_size and global_step % 10 == 0:
            drawn = zip(*random.sample(list(buffer), args.batch_size), strict=True)
            b_obs, b_next, b_actions, b_rewards, b_ends = (np.stack(column) for column in drawn)
            with torch.no_grad():
                best = q_network(torch.Tensor(b_next)).max(dim=1)[0]
                target = torch.Tensor(b_rewards) + 0.99 * best * (1 - torch.Tensor(b_ends))
            q_values = q_network(torch.Tensor(b_obs)).gather(1, torch.tensor(b_actions)[:, None])
            loss = nn.functional.mse_loss(q_values.squeeze(), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    envs.close()
    print(f"truncated_ends={truncated_ends}")
