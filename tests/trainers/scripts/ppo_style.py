"""A policy gradient in one file, with gymnasium 0.29's API as scripts of CleanRL's kind use it."""

import os
import random
import time
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
import tyro
from torch import nn, optim
from torch.distributions.categorical import Categorical
from torch.utils.tensorboard import SummaryWriter


@dataclass
class Args:
    exp_name: str = os.path.basename(__file__)[: -len(".py")]
    """name of the experiment"""
    env_id: str = "CartPole-v1"
    """id of the environment"""
    total_timesteps: int = 256
    """steps over all environments"""
    num_envs: int = 2
    """environments beside each other"""
    num_steps: int = 32
    """steps of each between two updates"""
    asynchronous: bool = False
    """environments in processes"""
    seed: int = 1
    """of everything"""
    capture_video: bool = False
    """films the first environment"""


def make_env(env_id, index, capture_video, run_name):
    def thunk():
        if capture_video and index == 0:
            env = gym.make(env_id, render_mode="rgb_array")
            env = gym.wrappers.RecordVideo(env, f"videos/{run_name}")
        else:
            env = gym.make(env_id)
        return gym.wrappers.RecordEpisodeStatistics(env)

    return thunk


class Agent(nn.Module):
    def __init__(self, envs):
        super().__init__()
        inputs = int(np.array(envs.single_observation_space.shape).prod())
        self.body = nn.Sequential(nn.Linear(inputs, 32), nn.Tanh())
        self.actor = nn.Linear(32, envs.single_action_space.n)
        self.critic = nn.Linear(32, 1)

    def forward(self, x):
        hidden = self.body(x)
        return Categorical(logits=self.actor(hidden)), self.critic(hidden).squeeze(-1)


if __name__ == "__main__":
    args = tyro.cli(Args)
    run_name = f"{args.env_id}__{args.exp_name}__{args.seed}__{int(time.time())}"
    writer = SummaryWriter(f"runs/{run_name}")
    random.seed(args.seed)
    np.random.seed(args.seed)
    torch.manual_seed(args.seed)

    vectorize = gym.vector.AsyncVectorEnv if args.asynchronous else gym.vector.SyncVectorEnv
    envs = vectorize(
        [make_env(args.env_id, i, args.capture_video, run_name) for i in range(args.num_envs)],
    )
    assert isinstance(envs, vectorize)
    assert isinstance(envs.single_action_space, gym.spaces.Discrete), "discrete actions only"

    agent = Agent(envs)
    optimizer = optim.Adam(agent.parameters(), lr=1e-3)
    global_step = 0
    next_obs, _ = envs.reset(seed=args.seed)
    next_obs = torch.Tensor(next_obs)
    for _ in range(args.total_timesteps // (args.num_envs * args.num_steps)):
        losses = []
        for _ in range(args.num_steps):
            global_step += args.num_envs
            policy, value = agent(next_obs)
            action = policy.sample()
            next_obs, reward, terminations, truncations, infos = envs.step(action.cpu().numpy())
            next_done = np.logical_or(terminations, truncations)
            with torch.no_grad():
                next_obs = torch.Tensor(next_obs)
                alive = 1.0 - torch.Tensor(next_done)
                target = torch.tensor(reward).float() + 0.99 * alive * agent(next_obs)[1]
            advantage = target - value
            losses.append((advantage**2 - policy.log_prob(action) * advantage.detach()).mean())

            if "final_info" in infos:
                for info in infos["final_info"]:
                    if info and "episode" in info:
                        print(f"global_step={global_step}, episodic_return={info['episode']['r']}")
                        writer.add_scalar(
                            "charts/episodic_return", info["episode"]["r"], global_step
                        )
                        writer.add_scalar(
                            "charts/episodic_length", info["episode"]["l"][0], global_step
                        )
        optimizer.zero_grad()
        torch.stack(losses).mean().backward()
        optimizer.step()
    envs.close()
    writer.close()
