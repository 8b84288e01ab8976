"""GRPO on Blackjack, in the shape of torchforge: rollouts and training run at the same time.

    python -m pip install -e '.[openspiel,cleanrl]' && python examples/torchforge_style_grpo.py

As there, several loops of rollouts play groups of episodes with the policy that is newest, and put
them into a replay buffer; one loop of training takes batches out of it, and publishes the policy's
next version. Episodes of a version that is too old are dropped. Where a service of torchforge would
be called, a function is; where its generator is a language model, a small network is.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import nn

import openenv_gym  # noqa: F401  # registers openenv/*

ID = "openenv/OpenSpiel.blackjack-v0"
GROUP = 8  # episodes of the same cards, which are compared with each other
BATCH = 16  # groups of an update
MAX_AGE = 2  # versions by which a rollout may be behind the policy
KL = 0.01  # weight of the distance to the first policy


@dataclass
class Step:
    """A choice of an episode, and what it was worth beside others of its group."""

    observation: np.ndarray
    mask: np.ndarray
    action: int
    log_probability: float
    advantage: float = 0.0


@dataclass
class Group:
    """Episodes of the same cards."""

    version: int
    steps: list[Step]
    rewards: list[float]


class Policy(nn.Module):
    """What the next action is, by the observation; only legal ones."""

    def __init__(self, env: gym.Env) -> None:
        super().__init__()
        (size,), count = env.observation_space.shape, env.action_space.n
        self.layers = nn.Sequential(nn.Linear(size, 64), nn.Tanh(), nn.Linear(64, count))
        self.version = 0

    def forward(self, observations: torch.Tensor, masks: torch.Tensor) -> torch.Tensor:
        """Log-probabilities of all actions, (batch, actions)."""
        return self.layers(observations).masked_fill(masks == 0, -1e9).log_softmax(-1)


def play(env: gym.Env, policy: Policy, seed: int) -> Group:
    """Play a group of episodes, and compare their rewards."""
    group = Group(policy.version, [], [])
    for _ in range(GROUP):
        observation, info = env.reset(seed=seed)
        steps: list[Step] = []
        total, over = 0.0, False
        while not over:
            mask = info["action_mask"]
            with torch.no_grad():
                seen, legal = torch.as_tensor(observation), torch.as_tensor(mask)
                log_probabilities = policy(seen[None], legal[None])[0]
            action = int(torch.multinomial(log_probabilities.exp(), 1))
            steps.append(Step(observation, mask, action, float(log_probabilities[action])))
            observation, reward, terminated, truncated, info = env.step(action)
            total += float(reward)
            over = terminated or truncated
        for step in steps:
            step.advantage = total  # of which the group's mean is taken below
        group.steps += steps
        group.rewards.append(total)
    mean, spread = np.mean(group.rewards), np.std(group.rewards) + 1e-4
    for step in group.steps:
        step.advantage = float((step.advantage - mean) / spread)
    return group


def update(
    policy: Policy, first: Policy, optimizer: torch.optim.Optimizer, batch: list[Group]
) -> None:
    """Take one step of GRPO: the clipped ratio, and the distance to the first policy."""
    steps = [step for group in batch for step in group.steps]
    observations = torch.as_tensor(np.stack([step.observation for step in steps]))
    masks = torch.as_tensor(np.stack([step.mask for step in steps]))
    actions = torch.tensor([[step.action] for step in steps])
    before = torch.tensor([step.log_probability for step in steps])
    advantages = torch.tensor([step.advantage for step in steps])
    now = policy(observations, masks).gather(1, actions)[:, 0]
    with torch.no_grad():
        reference = first(observations, masks).gather(1, actions)[:, 0]
    ratio = (now - before).exp()
    gain = torch.min(ratio * advantages, ratio.clamp(0.8, 1.2) * advantages)
    distance = (reference - now).exp() - (reference - now) - 1
    optimizer.zero_grad()
    (KL * distance - gain).mean().backward()
    optimizer.step()


async def rollouts(
    number: int, policy: Policy, buffer: asyncio.Queue[Group], words: argparse.Namespace
) -> None:
    """Play groups for as long as there is training."""
    seeds = np.random.default_rng(number)
    with gym.make(ID, transport=words.transport) as env:
        while True:
            newest = copy.deepcopy(policy)
            group = await asyncio.to_thread(play, env, newest, int(seeds.integers(1 << 31)))
            await buffer.put(group)


async def train(words: argparse.Namespace) -> list[float]:
    """Train while the rollouts go on; return the mean reward of each update's episodes."""
    torch.manual_seed(0)
    with gym.make(ID) as env:
        policy = Policy(env)
    first = copy.deepcopy(policy)
    optimizer = torch.optim.Adam(policy.parameters(), 3e-3)
    buffer: asyncio.Queue[Group] = asyncio.Queue(2 * BATCH)
    players = [
        asyncio.create_task(rollouts(number, policy, buffer, words))
        for number in range(words.rollouts)
    ]
    means: list[float] = []
    while policy.version < words.updates:
        batch: list[Group] = []
        while len(batch) < BATCH:
            group = await buffer.get()
            if policy.version - group.version <= MAX_AGE:
                batch.append(group)
            if any(player.done() for player in players):
                await asyncio.gather(*players)  # raises what ended it
        update(policy, first, optimizer, batch)
        policy.version += 1
        means.append(float(np.mean([group.rewards for group in batch])))
        if policy.version % 10 == 0:
            print(f"version {policy.version}: mean reward {np.mean(means[-10:]):+.3f}")
    for player in players:
        player.cancel()
    await asyncio.gather(*players, return_exceptions=True)
    return means


def main() -> None:
    """Train, and show how the reward grew."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--updates", type=int, default=100, help="(%(default)s)")
    parser.add_argument("--rollouts", type=int, default=2, help="loops of them (%(default)s)")
    parser.add_argument("--transport", default="inprocess", help="(%(default)s)")
    words = parser.parse_args()
    means = asyncio.run(train(words))
    part = max(1, len(means) // 4)
    begin, end = np.mean(means[:part]), np.mean(means[-part:])
    print(f"mean reward of the first quarter {begin:+.3f}, of the last {end:+.3f}")


if __name__ == "__main__":
    main()
