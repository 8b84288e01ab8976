"""A policy gradient on stacked frames, with gymnasium 0.29's API as Atari scripts use it."""

import argparse

import gymnasium as gym
import numpy as np
import torch
from torch import nn
from torch.distributions.categorical import Categorical


def parse_args():
    parser = argparse.ArgumentParser()
    parser.add_argument("--env-id", type=str, default="ALE/Pong-v5")
    parser.add_argument("--total-timesteps", type=int, default=64)
    parser.add_argument("--num-envs", type=int, default=2)
    return parser.parse_args()


class ClipReward(gym.RewardWrapper):
    def reward(self, reward):
        return np.sign(float(reward))


def make_env(env_id):
    def thunk():
        env = gym.make(env_id)
        env = gym.wrappers.RecordEpisodeStatistics(env)
        env = ClipReward(env)
        env = gym.wrappers.GrayScaleObservation(env)
        env = gym.wrappers.TransformObservation(env, lambda frame: np.clip(frame, 0, 200))
        return gym.wrappers.FrameStack(env, 4)

    return thunk


if __name__ == "__main__":
    args = parse_args()
    torch.manual_seed(0)
    envs = gym.vector.SyncVectorEnv([make_env(args.env_id) for _ in range(args.num_envs)])
    assert envs.single_observation_space.shape[0] == 4, "four frames"
    body = nn.Sequential(nn.Conv2d(4, 8, 8, stride=4), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        size = body(torch.zeros(1, *envs.single_observation_space.shape)).shape[1]
    agent = nn.Sequential(body, nn.Linear(size, envs.single_action_space.n))
    optimizer = torch.optim.Adam(agent.parameters())

    next_obs, _ = envs.reset(seed=1)
    for global_step in range(0, args.total_timesteps, args.num_envs):
        policy = Categorical(logits=agent(torch.Tensor(next_obs) / 255.0))
        action = policy.sample()
        next_obs, reward, terminations, truncations, infos = envs.step(action.cpu().numpy())
        optimizer.zero_grad()
        (-policy.log_prob(action) * torch.tensor(reward)).mean().backward()
        optimizer.step()
        for info in infos.get("final_info", []):
            if info is not None:
                print(f"global_step={global_step}, episodic_return={info['episode']['r'][0]}")
    print(f"frames={next_obs.shape} {next_obs.dtype}")
    envs.close()
